"""The services, against servers of our own that speak their wire formats and misbehave."""

from __future__ import annotations

import logging
import pickle
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from evidence import generators
from evidence.cards import models
from evidence.generators import http_base
from evidence.interfaces import GenerationFailed, Request
from evidence.jobs.retry import RetryPolicy
from evidence.weights import Unavailable
from tests.evidence.tiny import service
from tests.evidence.tiny.service import Answer, Service, endless, packed, says

KEY = "sk-or-v1-Qm9zY2ggd2FzIGhlcmU0242"
CARDS = {"nano-banana": "OPENROUTER", "gpt-image-15": "OPENAI", "qwen-image": "REPLICATE", "seeddream4": "REPLICATE"}
KEYS = {"OPENROUTER": "OPENROUTER_API_KEY", "OPENAI": "OPENAI_API_KEY", "REPLICATE": "REPLICATE_API_TOKEN"}
WANTED = Request("a murky, underexposed pond", seed=7)


def good(card: str) -> list[Answer]:
    """What the service of the card answers when all is well."""
    if card == "nano-banana":
        return [says(service.chat(service.picture()))]
    if card == "gpt-image-15":
        return [says(service.images(service.picture()))]
    pending, done = service.prediction("processing"), service.prediction("succeeded", ["{url}/files/out.png"])
    return [says(pending, 201), says(done), service.content(service.picture())]


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in KEYS.values():
        monkeypatch.setenv(variable, KEY)


@pytest.fixture(scope="module")
def cards() -> dict[str, models.ModelCard]:
    return models.load()


@pytest.fixture
def connected(cards: dict[str, models.ModelCard], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Loads a card against a service that plays `answers`."""
    monkeypatch.setattr("evidence.generators.replicate_api.Replicate.poll", 0.01)

    def connect(card: str, played: Service, profile: str = "controlled", timeout: float = 10.0) -> Any:
        path = {"OPENROUTER": "/api/v1", "OPENAI": "/v1", "REPLICATE": ""}[CARDS[card]]
        monkeypatch.setenv(f"{CARDS[card]}_BASE_URL", played.url + path)
        generator: Any = generators.load(cards[card], profile)
        return generator.under(generator.settings | {"timeout": timeout})

    return connect


def failure(
    card: str, answers: list[Answer], connected: Any, timeout: float = 10.0
) -> tuple[GenerationFailed, Service]:
    with Service(answers) as played:
        generator = connected(card, played, timeout=timeout)
        with pytest.raises(GenerationFailed) as caught:
            generator.generate([WANTED])
    return caught.value, played


@pytest.mark.parametrize("card", CARDS)
def test_a_service_that_behaves_gives_a_picture(card: str, connected: Any) -> None:
    with Service(good(card)) as played:
        (picture,) = connected(card, played).generate([WANTED])
    assert picture.mode == "RGB"
    assert picture.size == (1024, 1024)
    assert played.received[0].headers["authorization"] == f"Bearer {KEY}"
    assert WANTED.prompt in str(played.received[0].body)


def test_what_is_sent_is_what_the_row_says(connected: Any) -> None:
    sent = {}
    for card in CARDS:
        with Service(good(card)) as played:
            connected(card, played, "as-published").generate([WANTED])
        sent[card] = played.received[0]
    assert sent["nano-banana"].path == "/api/v1/chat/completions"
    assert sent["nano-banana"].body["modalities"] == ["image", "text"]
    assert sent["gpt-image-15"].path == "/v1/images/generations"
    assert sent["gpt-image-15"].body["quality"] == "high"
    assert sent["gpt-image-15"].body["size"] == "1024x1024"
    assert sent["qwen-image"].path == "/v1/models/qwen/qwen-image/predictions"
    asked = {
        "num_inference_steps": 50,
        "guidance": 4.0,
        "go_fast": True,
        "enhance_prompt": False,
        "aspect_ratio": "1:1",
    }
    assert asked.items() <= sent["qwen-image"].body["input"].items()
    assert sent["seeddream4"].body["input"] == {
        "prompt": WANTED.prompt,
        "size": "1K",  # width and height would count for size "custom" alone
        "aspect_ratio": "1:1",
        "max_images": 1,
        "sequential_image_generation": "disabled",
    }


def test_a_seed_is_sent_only_where_the_profile_says_so(connected: Any) -> None:
    for profile, seed in (("controlled", 7), ("as-published", None)):
        with Service(good("qwen-image")) as played:
            connected("qwen-image", played, profile).generate([WANTED])
        assert played.received[0].body["input"].get("seed") == seed


def test_the_key_does_not_follow_the_picture_to_another_host(connected: Any) -> None:
    with Service(good("qwen-image")) as played:
        connected("qwen-image", played).generate([WANTED])
    assert played.received[-1].path == "/files/out.png"
    assert "authorization" not in played.received[-1].headers


@pytest.mark.parametrize("card", CARDS)
def test_too_many_requests_is_retryable_and_says_when(card: str, connected: Any) -> None:
    busy = says({"error": {"message": "slow down"}, "detail": "slow down"}, 429, Retry_After="17")
    error, played = failure(card, [busy], connected)
    assert (error.retryable, error.retry_after) == (True, 17.0)
    assert "429" in error.reason
    assert "slow down" in error.reason
    assert len(played.received) == 1, "the client retried by itself"


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_broken_server_is_retryable_and_asked_once(card: str, status: int, connected: Any) -> None:
    error, played = failure(card, [service.html(status)], connected)
    assert error.retryable
    assert str(status) in error.reason
    assert len(played.received) == 1, "the client retried by itself"


@pytest.mark.parametrize("card", ["qwen-image", "seeddream4"])
def test_polling_is_not_retried_by_the_client_either(card: str, connected: Any) -> None:
    answers = [says(service.prediction("starting"), 201), says({"detail": "busy"}, 503, Retry_After="30")]
    started = time.monotonic()
    error, played = failure(card, answers, connected)
    assert (error.retryable, error.retry_after, len(played.received)) == (True, 30.0, 2)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_a_refusal_is_final(card: str, status: int, connected: Any) -> None:
    error, played = failure(card, [says({"error": {"message": "no"}, "detail": "no"}, status)], connected)
    assert not error.retryable
    assert str(status) in error.reason
    assert len(played.received) == 1


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("status", [401, 402])
def test_a_wrong_key_or_an_empty_account_costs_no_sample_for_good(card: str, status: int, connected: Any) -> None:
    """The next run, with a right key, draws what this one could not; this one does not wait for it."""
    error, _ = failure(card, [says({"error": {"message": "no"}, "detail": "no"}, status)], connected)
    assert error.retryable and RetryPolicy().wait(1, error.retry_after) is None


def choices(**told: Any) -> Answer:
    message = {"role": "assistant", "content": None} | told.pop("message", {})
    return says(service.chat(None) | {"choices": [{"index": 0, "finish_reason": "stop", "message": message} | told]})


TOLD_WITH_200: dict[str, tuple[str, Answer, bool, str]] = {
    "a moderation error": (
        "nano-banana",
        says({"error": {"code": 403, "message": "flagged"}}),
        False,
        "HTTP 403: flagged",
    ),
    "too many requests": ("nano-banana", says({"error": {"code": 429, "message": "slow"}}), True, "HTTP 429: slow"),
    "an error of the provider": (
        "nano-banana",
        choices(error={"code": 502, "message": "down"}),
        True,
        "HTTP 502: down",
    ),
    "a refusal": ("nano-banana", choices(message={"refusal": "I cannot"}), False, "refused: I cannot"),
    "a filter": ("nano-banana", choices(finish_reason="content_filter"), False, "content filter"),
    "a request that timed out": ("nano-banana", says({"error": {"message": "late"}}, 408), True, "HTTP 408: late"),
    "an error of images": ("gpt-image-15", says({"error": {"code": 400, "message": "unsafe"}}), False, "unsafe"),
    "no memory": (
        "qwen-image",
        says(service.prediction("failed", error="CUDA out of memory. Please try again"), 201),
        True,
        "out of memory",
    ),
    "a small picture": ("nano-banana", says(service.chat(service.picture(size=(8, 8)))), True, "8x8"),
    "a large picture": ("nano-banana", says(service.chat(service.picture(size=(8200, 80)))), True, "8200x80"),
    "another size": ("gpt-image-15", says(service.images(service.picture(size=(512, 300)))), True, "512x300"),
    "a grey notice": ("nano-banana", says(service.chat(service.notice())), True, "notice"),
    "a packed answer": ("nano-banana", packed(), True, "DecodingError"),
    "an endless answer": ("nano-banana", endless(), True, "ReadError"),
}


@pytest.mark.parametrize("what", TOLD_WITH_200)
def test_what_a_service_says_is_understood(what: str, connected: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is on record, and what would fail again is not paid for again."""
    monkeypatch.setattr("evidence.generators.transport.MOST_BYTES", 2**20)
    card, answer, retryable, reason = TOLD_WITH_200[what]
    error, _ = failure(card, [answer], connected)
    assert error.retryable is retryable and reason in error.reason


def test_a_prediction_that_takes_too_long_is_cancelled(connected: Any) -> None:
    """It would be paid for, and each further try would start another one."""
    error, played = failure("qwen-image", [says(service.prediction("processing"), 201)], connected, timeout=1.5)
    deadline = time.monotonic() + 60
    while not any(one.path.endswith("/cancel") for one in played.received) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert error.retryable and [one.path for one in played.received][-1] == "/v1/predictions/p1/cancel"


@pytest.mark.parametrize("card", CARDS)
def test_a_cut_connection_is_retryable(card: str, connected: Any) -> None:
    error, _ = failure(card, [service.cut()], connected)
    assert error.retryable


@pytest.mark.parametrize("card", CARDS)
def test_a_closed_port_is_retryable(card: str, connected: Any) -> None:
    with Service(good(card)) as played:
        generator = connected(card, played)
    with pytest.raises(GenerationFailed) as caught:
        generator.generate([WANTED])
    assert caught.value.retryable


@pytest.mark.parametrize("card", CARDS)
def test_a_page_instead_of_json_is_retryable(card: str, connected: Any) -> None:
    error, _ = failure(card, [service.html(200)], connected)
    assert error.retryable
    assert "html" not in error.reason.lower()


@pytest.mark.parametrize("card", CARDS)
def test_slow_drips_end_in_a_time_out(card: str, connected: Any) -> None:
    started = time.monotonic()
    error, _ = failure(card, [service.drips(5.0)], connected, timeout=0.4)
    assert error.retryable
    assert "0.4 s" in error.reason
    assert time.monotonic() - started < 3


def test_an_answer_in_words_only_is_no_picture(connected: Any) -> None:
    error, _ = failure("nano-banana", [says(service.chat(None, "I cannot draw that."))], connected)
    assert error.retryable
    assert "I cannot draw that." in error.reason


def test_a_prediction_that_failed_is_final(connected: Any) -> None:
    answers = [says(service.prediction("failed", error="flagged as sensitive"), 201)]
    error, _ = failure("qwen-image", answers, connected)
    assert not error.retryable
    assert "flagged as sensitive" in error.reason


def test_a_prediction_that_never_ends_is_given_up(connected: Any) -> None:
    error, _ = failure("qwen-image", [says(service.prediction("processing"), 201)], connected, timeout=0.3)
    assert error.retryable


def spoilt(card: str, data: bytes) -> list[Answer]:
    if card == "nano-banana":
        return [says(service.chat(data))]
    if card == "gpt-image-15":
        return [says(service.images(data))]
    done = service.prediction("succeeded", "{url}/files/out.png")
    return [says(done, 201), service.content(data)]


@pytest.mark.parametrize("card", CARDS)
def test_half_a_picture_is_no_picture(card: str, connected: Any) -> None:
    whole = service.picture()
    error, _ = failure(card, spoilt(card, whole[: len(whole) // 2]), connected)
    assert error.retryable
    assert "whole picture" in error.reason


@pytest.mark.parametrize("card", ["nano-banana", "gpt-image-15"])
def test_truncated_base64_is_no_picture(card: str, connected: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "coded", lambda data: __import__("base64").b64encode(data).decode()[:-7])
    error, _ = failure(card, spoilt(card, service.picture()), connected)
    assert error.retryable


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("colour", [(0, 0, 255), (0, 0, 0), (255, 255, 255)])
def test_a_placeholder_never_becomes_a_picture(card: str, colour: tuple[int, int, int], connected: Any) -> None:
    error, _ = failure(card, spoilt(card, service.picture(colour)), connected)
    assert error.retryable


@pytest.mark.parametrize("card", ["qwen-image", "seeddream4"])
def test_a_missing_picture_file_is_told(card: str, connected: Any) -> None:
    answers = [says(service.prediction("succeeded", ["{url}/gone"]), 201), says({"detail": "gone"}, 404)]
    error, _ = failure(card, answers, connected)
    assert not error.retryable
    assert "404" in error.reason


def stretches(text: str) -> Iterator[str]:
    return (text[i : i + http_base.STRETCH] for i in range(len(text) - http_base.STRETCH + 1))


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("status", [401, 500])
def test_no_error_text_holds_a_stretch_of_the_key(card: str, status: int, connected: Any) -> None:
    error, _ = failure(card, [service.echoes_the_key(status)], connected)
    told = [str(error), repr(error), error.reason, "".join(traceback.format_exception(error)), str(pickle.dumps(error))]
    assert error.__context__ is None, "the client's own error, which holds headers, hangs on to ours"
    for text in told:
        assert not [s for s in stretches(KEY) if s in text]


def test_a_chat_answer_that_repeats_the_key_is_blotted(connected: Any) -> None:
    error, _ = failure("nano-banana", [says(service.chat(None, f"your key is {KEY}"))], connected)
    assert not [s for s in stretches(KEY) if s in error.reason]
    assert "█" in error.reason


@pytest.mark.parametrize("card", CARDS)
def test_no_log_holds_the_key_even_at_its_most_talkative(
    card: str, connected: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Loggers of the clients and of what they stand on included."""
    for name in ("", "openai", "httpx", "httpx2", "httpcore", "httpcore2", "replicate"):
        caplog.set_level(logging.DEBUG, name)
    with Service(good(card)) as played:
        connected(card, played).generate([WANTED])
    failure(card, [says({"error": {"message": "no"}, "detail": "no"}, 401)], connected)
    assert caplog.records, "nothing was logged at all: the test looks at the wrong place"
    assert KEY not in caplog.text


@pytest.mark.parametrize("card", CARDS)
def test_a_generator_holds_no_key(card: str, connected: Any) -> None:
    with Service(good(card)) as played:
        generator = connected(card, played)
        generator.generate([WANTED])
    assert KEY not in repr(generator) + repr(vars(generator)) + generator.recipe.model_dump_json()
    assert generator.recipe.seed is None
    assert generator.recipe.revision == "unpinned"


@pytest.mark.parametrize("card", CARDS)
def test_without_a_key_the_row_names_the_variable(card: str, cards: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    variable = KEYS[CARDS[card]]
    monkeypatch.delenv(variable)
    with pytest.raises(Unavailable, match=variable):
        generators.load(cards[card])


def test_a_service_refuses_what_it_would_ignore(connected: Any) -> None:
    with Service(good("gpt-image-15")) as played:
        generator = connected("gpt-image-15", played)
        with pytest.raises(GenerationFailed, match="negative prompt"):
            generator.generate([Request("x", None, negative_prompt="sharp")])
    assert not played.received


def test_retry_after_reads_seconds_and_dates() -> None:
    now = datetime(2026, 11, 23, 5, 0, 0, tzinfo=UTC)
    assert http_base.waiting_time({"retry-after": "2.5"}) == 2.5
    assert http_base.waiting_time({"Retry-After": "Mon, 23 Nov 2026 05:00:20 GMT"}, now) == 20.0
    assert http_base.waiting_time({"Retry-After": "soon"}) is None
    assert http_base.waiting_time({}) is None
