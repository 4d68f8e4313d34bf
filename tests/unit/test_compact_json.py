from octavia import compact_json


def test_dumps_is_short_and_keeps_letters() -> None:
    assert compact_json.dumps({"text": "¿Qué?", "times": [1, 2.5]}) == '{"text":"¿Qué?","times":[1,2.5]}'
