"""The fields of Alertmanager's file that are known by name: of the global section and of every integration.

Source: alertmanager/config/config.go and notifiers.go at 0.34. A name that is in none of these lists is a slip of the pen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

TLS_CONFIG: Final = (
    "ca", "cert", "key", "ca_file", "cert_file", "key_file", "ca_ref", "cert_ref", "key_ref", "server_name",
    "insecure_skip_verify", "min_version", "max_version",
)  # fmt: skip
HTTP_CONFIG: Final = (
    "basic_auth", "authorization", "oauth2", "bearer_token", "bearer_token_file", "tls_config", "follow_redirects",
    "enable_http2", "proxy_url", "no_proxy", "proxy_from_environment", "proxy_connect_header", "http_headers",
)  # fmt: skip
GLOBAL: Final = (
    "http_config", "resolve_timeout",
    "smtp_from", "smtp_hello", "smtp_smarthost", "smtp_auth_username", "smtp_auth_password", "smtp_auth_password_file",
    "smtp_auth_secret", "smtp_auth_secret_file", "smtp_auth_identity", "smtp_require_tls", "smtp_tls_config",
    "smtp_force_implicit_tls",
    "slack_api_url", "slack_api_url_file", "slack_app_token", "slack_app_token_file", "slack_app_url",
    "pagerduty_url", "opsgenie_api_url", "opsgenie_api_key", "opsgenie_api_key_file",
    "wechat_api_url", "wechat_api_secret", "wechat_api_secret_file", "wechat_api_corp_id",
    "victorops_api_url", "victorops_api_key", "victorops_api_key_file",
    "telegram_api_url", "telegram_bot_token", "telegram_bot_token_file", "webex_api_url", "jira_api_url",
    "rocketchat_api_url", "rocketchat_token", "rocketchat_token_file", "rocketchat_token_id", "rocketchat_token_id_file",
    "mattermost_webhook_url", "mattermost_webhook_url_file",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """One service in a receiver: its field's name, the fields it knows, which of them are templates of a message.

    `send_resolved` is what Alertmanager does where the file is silent.
    """

    name: str
    known: tuple[str, ...]
    templates: tuple[str, ...] = ()
    send_resolved: bool = True

    @property
    def service(self) -> str:
        return self.name.removesuffix("_configs")


def _known(name: str, fields: str, *, templates: str = "", send_resolved: bool = True) -> Integration:
    return Integration(
        name=name,
        known=("send_resolved", "http_config", *fields.split(), *templates.split()),
        templates=tuple(templates.split()),
        send_resolved=send_resolved,
    )


_ALL: Final = (
    _known(
        "slack_configs",
        "api_url api_url_file app_token app_token_file app_url channel fields short_fields callback_id link_names mrkdwn_in "
        "actions timeout update_message",
        templates="username color title title_link pretext text message_text footer fallback icon_emoji icon_url image_url "
        "thumb_url",
        send_resolved=False,
    ),
    _known(
        "pagerduty_configs",
        "service_key service_key_file routing_key routing_key_file url details images links timeout",
        templates="client client_url description source severity class component group",
    ),
    _known(
        "email_configs",
        "to from hello smarthost auth_username auth_password auth_password_file auth_secret auth_secret_file auth_identity "
        "headers require_tls tls_config force_implicit_tls threading",
        templates="html text",
        send_resolved=False,
    ),
    _known("webhook_configs", "url url_file max_alerts timeout payload"),
    _known(
        "opsgenie_configs",
        "api_key api_key_file api_url source details entity responders actions tags note priority update_alerts",
        templates="message description",
    ),
    _known("discord_configs", "webhook_url webhook_url_file content username avatar_url", templates="title message"),
    _known("msteams_configs", "webhook_url webhook_url_file summary", templates="title text"),
    _known("msteamsv2_configs", "webhook_url webhook_url_file", templates="title text"),
    _known(
        "telegram_configs",
        "api_url bot_token bot_token_file chat_id chat_id_file message_thread_id disable_notifications parse_mode",
        templates="message",
    ),
    _known(
        "pushover_configs",
        "user_key user_key_file token token_file url url_title device sound priority retry expire ttl html monospace",
        templates="title message",
    ),
    _known(
        "victorops_configs",
        "api_key api_key_file api_url routing_key message_type entity_display_name monitoring_tool custom_fields",
        templates="state_message",
    ),
    _known(
        "mattermost_configs",
        "webhook_url webhook_url_file channel username icon_url icon_emoji attachments type props priority",
        templates="text",
    ),
    _known("webex_configs", "api_url room_id", templates="message"),
    _known(
        "wechat_configs",
        "api_secret api_secret_file corp_id api_url to_user to_party to_tag agent_id message_type",
        templates="message",
        send_resolved=False,
    ),
    _known("sns_configs", "api_url sigv4 topic_arn phone_number target_arn attributes", templates="subject message"),
    _known(
        "jira_configs",
        "api_url api_type project issue_type labels priority reopen_transition resolve_transition wont_fix_resolution "
        "reopen_duration fields custom_fields",
        templates="summary description",
    ),
    _known(
        "rocketchat_configs",
        "api_url token token_file token_id token_id_file channel emoji icon_url color fields short_fields actions image_url "
        "thumb_url link_names title_link",
        templates="title text",
        send_resolved=False,
    ),
    _known("incidentio_configs", "url url_file alert_source_token alert_source_token_file max_alerts timeout metadata"),
)
INTEGRATIONS: Final[Mapping[str, Integration]] = {one.name: one for one in _ALL}
"""Every integration, by the name of its list in a receiver, in the order in which a receiver's channels are made."""
