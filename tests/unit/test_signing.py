import base64
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from octavia import signing


def secret(size: int) -> str:
    return "whsec_" + base64.b64encode(bytes(size)).decode()


@pytest.mark.parametrize("size", [24, 32, 64])
def test_a_secret_of_24_to_64_bytes_is_one(size: int) -> None:
    # Given a secret in the usual form
    # When it is checked
    # Then it is given back
    assert signing.check_secret(secret(size)) == secret(size)


@pytest.mark.parametrize("wrong", ["", "whsec_", secret(23), secret(65), secret(32)[6:], "whsec_not base64!" * 3])
def test_anything_else_is_refused_and_not_repeated(wrong: str) -> None:
    # Given no secret, or a short, long, bare or garbled one
    # When it is checked
    # Then the error does not hold it
    with pytest.raises(ValueError, match="24 to 64") as caught:
        signing.check_secret(wrong)
    assert not wrong.removeprefix("whsec_") or wrong not in str(caught.value)


def test_headers_are_verified_by_the_standard_library_of_receivers() -> None:
    # Given a signed body
    body = '{"type":"job.completed","name":"Zoë"}'.encode()
    headers = signing.headers(secret(32), "msg_1", datetime.now(UTC), body)
    # When a receiver verifies it
    # Then it is genuine, under the id that was given
    assert Webhook(secret(32)).verify(body, headers)["name"] == "Zoë"
    assert headers["webhook-id"] == "msg_1"
