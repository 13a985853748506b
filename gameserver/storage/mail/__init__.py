"""Letters, from the sender's outbox to the recipient's inbox.

A letter has another shape at each station, because each needs other fields:

- `rules.player.Letter`: what an action sends (recipient, kind, arguments), before it has an id;
- `mailbag.OutboxRow`: a row to insert into the outbox, with the sender, the command and the letter's number in it;
- `mailbag.SentLetter`: a letter on its way, with its mail id: read from an outbox, or the server's own;
- the inbox row that `mailbag` inserts when the letter takes effect or is refused for good;
- `inbox.Mail`: what the recipient is shown.

Grants of items travel through the outbox, too, as rows of the kind `items.stacks.KIND` and the number `NUMBER`; their
deliverer is `items.grants`.

Door: `mailbag` (`Mailbag`, `SentLetter`, `letter_of_server`, `OutboxRow`, `LetterSettled`, `HOPS`, `WAITING`,
`NOT_ACCEPTED`), `bounds` (`LetterLimits`, `LetterCounts`, `forget_rested`), `outbox` (`Outbox`, `Ending`), `courier`
(`Courier`, `Deliverer`) and `inbox` (`Inbox`, `Forgotten`, `Mail`, `forget_old`).
"""
