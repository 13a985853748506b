"""What a rule makes up becomes no label without end, and takes no other rule's place."""

from structlog.testing import capture_logs

from gameserver.code_labels import MOST, OF_A_RULE, OTHER, CodeLabels
from gameserver.rules.server_codes import SERVER_CODES


def test_a_rule_has_some_codes_of_its_own_and_others_keep_theirs() -> None:
    labels = CodeLabels()
    with capture_logs() as logs:
        found = [labels.learnt(f"wait_{number}", "rest") for number in range(1000)]
    assert found == [*(f"wait_{number}" for number in range(OF_A_RULE)), *[OTHER] * (1000 - OF_A_RULE)]
    assert [(line["action"], line["code"]) for line in logs] == [("rest", f"wait_{OF_A_RULE}")]
    assert labels.learnt("full_hp", "heal") == labels.of("full_hp") == "full_hp"
    assert labels.learnt("wait_7", "heal") == "wait_7"


def test_all_rules_together_have_a_bound_which_the_servers_own_codes_dont_count_towards() -> None:
    labels = CodeLabels()
    found = {labels.learnt(f"no_{rule}_{number}", str(rule)) for rule in range(20) for number in range(20)}
    assert len(found) == MOST + 1
    assert {labels.of(code) for code in SERVER_CODES} == SERVER_CODES
    assert labels.of("refused") == "refused"
    assert {labels.learnt(code, "rest") for code in SERVER_CODES} == SERVER_CODES
    assert labels.of("never_given") == OTHER
