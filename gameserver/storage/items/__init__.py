"""Stacks of items, in the players' database or in one of their own.

Door: `stacks` (`Stacks`, `Payment`, `Unpaid`, `NOT_ENOUGH`), `inventory` (`Inventory`, `Reservation`, `Stack`),
`payment_ledger` (`PaymentLedger`, `Look`), `backlog` (`Backlog`, `MOST`) and `grants` (`Grants`).
"""
