import json

import h11

from octavia.api.http.slow_clients.refusal import too_many_connections


def test_the_refusal_is_a_whole_answer() -> None:
    # Given a client that has sent its request
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("host", "here")]))
    client.send(h11.EndOfMessage())
    # When it reads the refusal, Then that is a problem with a remedy, and the connection ends
    client.receive_data(too_many_connections("/octavia"))
    response, body, end = (client.next_event() for _ in range(3))
    assert isinstance(response, h11.Response)
    assert isinstance(body, h11.Data)
    assert isinstance(end, h11.EndOfMessage)
    assert response.status_code == 503
    assert dict(response.headers)[b"retry-after"] == b"5"
    assert client.their_state is h11.MUST_CLOSE
    problem = json.loads(bytes(body.data))
    assert (problem["code"], problem["type"]) == ("too_many_connections", "/octavia/problems/too_many_connections")
    assert problem["hint"]
