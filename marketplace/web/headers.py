"""Security headers of every answer."""

from __future__ import annotations

from apiflask import APIFlask
from flask import Response
from secure import (
    ContentSecurityPolicy,
    CrossOriginOpenerPolicy,
    PermissionsPolicy,
    ReferrerPolicy,
    Secure,
    StrictTransportSecurity,
    XContentTypeOptions,
    XFrameOptions,
)
from werkzeug.middleware.proxy_fix import ProxyFix

from marketplace.config import Settings


def content_policy() -> ContentSecurityPolicy:
    """Return the page policy: nothing inline, nothing from elsewhere."""
    return (
        ContentSecurityPolicy()
        .default_src("'none'")
        .script_src("'self'")
        .style_src("'self'")
        .img_src("'self'", "data:", "blob:")
        .connect_src("'self'")
        .form_action("'self'")
        .frame_ancestors("'none'")
        .base_uri("'none'")
        .manifest_src("'self'")
        .worker_src("'self'")
    )


def register(app: APIFlask, settings: Settings) -> None:
    """Put the headers on every answer, and read those of our proxies.

    Pages with people on them are never kept by a cache.
    """
    secure = Secure(
        csp=content_policy(),
        xcto=XContentTypeOptions(),
        xfo=XFrameOptions().deny(),
        referrer=ReferrerPolicy().same_origin(),
        coop=CrossOriginOpenerPolicy().same_origin(),
        permissions=PermissionsPolicy().geolocation("self").camera("self").microphone(),
        hsts=StrictTransportSecurity().max_age(31_536_000) if settings.secure_cookies else None,
    )
    headers = dict(secure.headers)
    if settings.proxies:
        # What these headers say is believed only as far as our own proxies wrote it.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies, x_host=0
        )

    @app.after_request
    def _add(response: Response) -> Response:
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
        return response
