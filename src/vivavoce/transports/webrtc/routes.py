"""The HTTP side of calls: offers in both languages, and hanging up."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from vivavoce.contracts.errors import EngineMissing, InvalidRequest, ProtocolViolation, Unavailable, VivavoceError
from vivavoce.transports.access import Credentials
from vivavoce.transports.bodies import ErrorBody
from vivavoce.transports.errors import answer
from vivavoce.transports.webrtc.bodies import native_offer, realtime_offer
from vivavoce.transports.webrtc.handler import NewSession, WebRtcDoor
from vivavoce.transports.webrtc.live import ice_servers

CALLS = "/v1/realtime/calls"

_TEXT: dict[str, Any] = {"type": "string"}
_SDP: dict[str, Any] = {"application/sdp": {"schema": _TEXT}}
_OFFER: dict[str, Any] = {
    "type": "object",
    "required": ["sdp"],
    "properties": {
        "sdp": {**_TEXT, "description": "What `createOffer` gave."},
        "type": {"const": "offer"},
        "hello": {"type": "object", "description": "Wishes as in the `hello` of `/ws/audio`, without `audio`."},
    },
}
_ANSWER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": _TEXT,
        "sdp": {**_TEXT, "description": "For `setRemoteDescription`."},
        "type": {"const": "answer"},
        "ice_servers": {"type": "array", "items": {"type": "object"}},
        "token": {**_TEXT, "description": "Opens the call's control socket, as often as it is needed."},
    },
}
_FORM: dict[str, Any] = {"type": "object", "required": ["sdp"], "properties": {"sdp": _TEXT, "session": _TEXT}}
_Answers = dict[int | str, dict[str, Any]]
_REFUSED: _Answers = {
    400: {"description": "This is no offer, or there is no audio in it."},
    501: {"description": "No WebRTC library is installed; the message names the command."},
    503: {"description": "All calls, or sessions, are taken."},
}
_CALL: _Answers = {201: {"description": "The call.", "content": {"application/json": {"schema": _ANSWER}}}, **_REFUSED}
_SAID: _Answers = {201: {"description": "The answer; `Location` names the call.", "content": _SDP}, **_REFUSED}
_OVER: _Answers = {404: {"description": "There is no such call."}}


def _body(content: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": content}}


_TELEPHONY: dict[int | str, dict[str, Any]] = {501: {"model": ErrorBody, "description": "Not offered."}}


def routes_of(door: WebRtcDoor, new_session: NewSession) -> APIRouter:
    """The routes; ``new_session`` makes a Realtime session of what a client wishes."""
    routes = APIRouter(tags=["webrtc"])
    _native(routes, door)
    _realtime(routes, door, new_session)
    return routes


def _native(routes: APIRouter, door: WebRtcDoor) -> None:
    options = door.media.options

    @routes.get("/webrtc/config")
    async def config() -> Response:
        """STUN and TURN servers, for a client's `RTCPeerConnection`."""
        return JSONResponse({"ice_servers": ice_servers(options)})

    @routes.post(
        "/webrtc/offer",
        status_code=201,
        responses=_CALL,
        openapi_extra=_body({"application/json": {"schema": _OFFER}}),
    )
    async def offer(request: Request) -> Response:
        """Open a call: JSON `{sdp, type: "offer", hello?}`; the answer holds `{id, sdp, type, ice_servers, token}`.

        Messages are those of `/ws/audio`, on a data channel called `vivavoce` or on `WS /ws/webrtc/{id}?token=…`.
        """
        try:
            wanted = await native_offer(request, options.max_sdp)
            call, token, sdp = await door.native(wanted.sdp, wanted.wish, _owner(request))
        except VivavoceError as error:
            return _refusal(error)
        body = {"id": call.id, "sdp": sdp, "type": "answer", "ice_servers": ice_servers(options), "token": token}
        return JSONResponse(body, 201)

    @routes.delete("/webrtc/{id}", status_code=204, responses=_OVER)
    async def hang_up(id: str, request: Request) -> Response:
        """End a call."""
        return _end(door, id, request, 204)


def _realtime(routes: APIRouter, door: WebRtcDoor, new_session: NewSession) -> None:
    @routes.post(
        CALLS,
        status_code=201,
        responses=_SAID,
        openapi_extra=_body({**_SDP, "multipart/form-data": {"schema": _FORM}}),
    )
    async def calls(request: Request) -> Response:
        """Open a call as OpenAI does: `application/sdp`, or a form with `sdp` and `session`; the answer is SDP.

        Events go over the data channel `oai-events`.
        """
        try:
            wanted = await realtime_offer(request, door.media.options.max_sdp)
            session = await _session(request, door, wanted.wish, new_session)
            call, _, sdp = await door.realtime(wanted.sdp, session, _owner(request))
        except VivavoceError as error:
            return _refusal(error)
        return Response(sdp, 201, {"location": f"{CALLS}/{call.id}"}, "application/sdp")

    @routes.post(CALLS + "/{id}/hangup", responses=_OVER)
    async def hang_up(id: str, request: Request) -> Response:
        """End a call."""
        return _end(door, id, request, 200)

    @routes.post(CALLS + "/{id}/{verb}", status_code=501, responses=_TELEPHONY)
    async def telephony(id: str, verb: str) -> Response:
        """`accept`, `reject` and `refer` are for telephones (SIP), which are not offered here."""
        error = Unavailable("calls over SIP are not offered here", code="not_implemented")
        return answer(error, 501, {"x-should-retry": "false"})


async def _session(request: Request, door: WebRtcDoor, wish: Any, new_session: NewSession) -> Any:
    """As the offer says; where the key is an ephemeral one, as was bound to it."""
    if wish is not None and not isinstance(wish, dict):
        raise ProtocolViolation("`session` is a JSON object")
    bound = await door.entrance.access.bound_session(Credentials.of(request.scope).key)
    session = new_session(bound if bound is not None else wish or {})
    model = request.query_params.get("model")
    if model and not (bound or wish or {}).get("model"):
        session["model"] = model[:200]
    return session


def _owner(request: Request) -> str:
    """Whose call it is: a key's. Without keys everybody may do everything, and calls have names nobody can guess."""
    caller = request.scope.get("state", {}).get("caller", "")
    client = request.scope.get("client")
    return "" if client and caller == client[0] else str(caller)


def _end(door: WebRtcDoor, id: str, request: Request, status: int) -> Response:
    call = door.find(id, _owner(request))
    if call is None:
        return answer(InvalidRequest("there is no such call; it may be over", code="call_not_found"), 404)
    call.end("the client hung up")
    return Response(status_code=status)


def _refusal(error: VivavoceError) -> Response:
    if isinstance(error, EngineMissing):
        return answer(error, 501, {"x-should-retry": "false"})
    return answer(error, 413 if error.code == "too_large" else None)
