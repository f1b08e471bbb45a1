"""Certificate: of the key that notifications are signed with, where their SigningCertURL leads."""

from __future__ import annotations

from rmq.gateway.caller import Accounts
from rmq.gateway.http import Request, Response

PATH = "/SimpleNotificationService-"


async def certificate(accounts: Accounts, request: Request) -> Response:
    """The certificate in PEM; 404 for one that is not ours."""
    name, pem = await accounts.client(*accounts.own).signing_certificate()
    if request.path != f"/{name}":
        return Response(404, b"this is not a certificate of ours\n", "text/plain")
    return Response(200, pem.encode(), "application/x-pem-file")
