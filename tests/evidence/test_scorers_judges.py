"""The judges: eleven dimensions read at the right token, and two pictures compared over a service that misbehaves."""

from __future__ import annotations

import base64
import io
import json
import math
import traceback
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from evidence import scorers
from evidence.judges.pairwise import JudgementFailed, PairwiseJudge
from evidence.scorers.chat import Turn
from evidence.scorers.digits import DIMENSIONS, DigitAnnotator, read_guideline, sum_all, sum_selected
from evidence.weights import Unavailable
from ledger.problems import InputError
from tests.evidence.golden.folders import CARDS, MAKERS, PICTURES
from tests.evidence.tiny.service import Answer, Service, chat, cut, drips, echoes_the_key, html, says

# ---------------------------------------------------------------------------------------------- eleven dimensions


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> DigitAnnotator:
    found = scorers.load(MAKERS["j-judge"](tmp_path_factory.mktemp("j")))
    assert isinstance(found, DigitAnnotator)
    return found


def test_eleven_dimensions_in_alphabetical_order_each_between_0_and_2(judge: DigitAnnotator) -> None:
    (score,) = judge.score([PICTURES[1]], ["unread"])
    assert isinstance(score, dict) and tuple(score) == DIMENSIONS == tuple(sorted(DIMENSIONS)) and len(score) == 11
    assert all(0 < value < 2 for value in score.values()) and len(set(score.values())) == 11


def test_the_prompt_is_not_read(judge: DigitAnnotator) -> None:
    one, other = judge.score([PICTURES[0]] * 2, ["sharp and lovely", "blurred and grey"])
    assert one == other and judge.truncated(["word " * 9999]) == [False]


def test_sums_are_named_by_what_they_add() -> None:
    """The published tables sum all eleven; a prompt's own two to four dimensions are another quantity."""
    scores = {dimension: float(i) for i, dimension in enumerate(DIMENSIONS)}
    assert sum_all(scores) == 55 and sum_selected(scores, ["clarity", "richness"]) == 11


def questions_alone(judge: DigitAnnotator, image: Image.Image) -> np.ndarray:
    """Each question in a batch of its own: no padding anywhere."""
    square = image.resize((judge.side, judge.side))
    texts = [f"<|im_start|>user\n{q}<|vision_start|><|image_pad|><|vision_end|><|im_end|>\n<|im_start|>assistant\n"
             for q in judge.questions]  # fmt: skip
    with torch.inference_mode():
        return np.concatenate([judge.probabilities(judge.chat.turns([square], [text])).numpy() for text in texts])


def test_a_question_alone_answers_as_the_stock_class_does(judge: DigitAnnotator) -> None:
    """The logits of the whole forward pass at the last token, over the digits 0, 1 and 2 and nothing else."""
    square = PICTURES[0].resize((judge.side, judge.side))
    text = f"<|im_start|>user\n{judge.questions[3]}<|vision_start|><|image_pad|><|vision_end|><|im_end|>\n"
    turn = judge.chat.turns([square], [text + "<|im_start|>assistant\n"])
    with torch.inference_mode():
        stock = judge.model(
            input_ids=turn.ids, mm_token_type_ids=turn.kinds, pixel_values=turn.patches, image_grid_thw=turn.grid
        ).logits[0, -1]
    zero_one_two = stock[[judge.chat.tokenizer.convert_tokens_to_ids(d) for d in "012"]].softmax(-1).numpy()
    (score,) = judge.score([PICTURES[0]], [""])
    assert isinstance(score, dict)
    assert score[DIMENSIONS[3]] == pytest.approx(zero_one_two[1] + 2 * zero_one_two[2], abs=2e-6)


def test_padding_does_not_touch_the_answer(judge: DigitAnnotator) -> None:
    """Questions differ in length, so all but the longest are padded: each must read as it does alone."""
    with torch.inference_mode():
        together = judge.probabilities(judge.turns(PICTURES[0])).numpy()
    assert np.allclose(together, questions_alone(judge, PICTURES[0]), atol=2e-6)


def test_padding_on_the_left_gives_the_same_answer(judge: DigitAnnotator) -> None:
    """The other remedy of the padding trap: then the last real token is at position -1."""
    right = judge.turns(PICTURES[0])
    length = right.ids.shape[1]
    shift = length - 1 - right.last
    left = Turn(
        *(torch.stack([card.roll(int(s)) for card, s in zip(t, shift, strict=True)]) for t in (right.ids, right.mask)),
        torch.stack([card.roll(int(s)) for card, s in zip(right.kinds, shift, strict=True)]),
        right.patches,
        right.grid,
    )
    assert shift.max() > 20 and (left.mask[:, -1] == 1).all() and set(left.last.tolist()) == {length - 1}
    with torch.inference_mode():
        same = judge.probabilities(left).numpy()
        assert np.allclose(judge.probabilities(right).numpy(), same, atol=2e-6)


def test_reading_the_last_position_of_a_right_padded_batch_would_be_seen(judge: DigitAnnotator) -> None:
    """The control of the two tests above: read at position -1, the padded questions answer something else."""

    class AtTheEnd(Turn):
        @property
        def last(self) -> torch.Tensor:
            return torch.full((len(self.ids),), self.ids.shape[1] - 1)

    right = judge.turns(PICTURES[0])
    wrong = AtTheEnd(right.ids, right.mask, right.kinds, right.patches, right.grid)
    with torch.inference_mode():
        off = np.abs(judge.probabilities(wrong).numpy() - judge.probabilities(right).numpy()).max(axis=1)
    longest = right.mask.sum(dim=1) == right.mask.shape[1]
    assert (off[longest.numpy()] == 0).all() and (off[~longest.numpy()] > 1e-3).all()


def test_the_picture_is_a_square_whatever_its_proportions(judge: DigitAnnotator) -> None:
    for picture in PICTURES:
        grid = judge.turns(picture).grid
        assert grid.tolist() == [[1, judge.side // 16, judge.side // 16]] * 11


def test_our_guideline_describes_every_digit_of_every_dimension() -> None:
    guideline = read_guideline(Path(__file__).parents[2] / CARDS["j-judge"].guideline)  # type: ignore[attr-defined]
    assert tuple(sorted(guideline.options)) == DIMENSIONS
    assert "clarity" in guideline.ask("clarity") and "sharp: 2" in guideline.ask("clarity")


def test_other_words_are_another_judge(judge: DigitAnnotator, tmp_path: Path) -> None:
    """Without the guideline in the revision, scores under changed words would pass for the same."""
    (tmp_path / "guideline.toml").write_text("question = 'changed'")
    changed = judge.card.model_copy(update={"guideline": str(tmp_path / "guideline.toml")})
    assert changed.revision != judge.card.revision and judge.card.revision.count("+") == 2


CSV = (
    "\ufeffDimension,Score,Option,Description\n"
    + "".join(
        f"Something ({d}),2,Best {d},very good\n,1,Good,good\n,0,Plain,so so\n,-3,Bad,awful\n"
        for d in DIMENSIONS
        if d != "emotion"
    )
    + "Gefühl (emotion),1,Up,glad\n,0,Flat,nothing\n,-1,Down,sad\nSymmetry (symmetry),1,Yes,even\n"
)


def test_a_published_csv_is_read_by_sign_and_filled_down(tmp_path: Path) -> None:
    """It begins with a byte order mark, mixes full-width brackets, and has dimensions that the judge leaves out."""
    (tmp_path / "rules.csv").write_text(CSV, "utf-8")
    guideline = read_guideline(tmp_path / "rules.csv", "Rate {dimension} by {guideline}.")
    assert tuple(guideline.options) == DIMENSIONS
    assert list(guideline.options["clarity"]) == ["Best clarity: 2", "Good: 2", "Plain: 1", "Bad: 0"]
    assert guideline.options["emotion"] == {"Up: 2": ": glad", "Flat: 1": ": nothing", "Down: 0": ": sad"}
    assert guideline.ask("emotion").startswith("Rate emotion by {'Up: 2': ': glad'")


def test_a_guideline_with_a_dimension_or_a_digit_missing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rules.csv").write_text(CSV.replace("(clarity)", "(clearness)").replace(",-1,Down,sad\n", ""), "utf-8")
    with pytest.raises(InputError) as error:
        read_guideline(tmp_path / "rules.csv", "Rate {dimension} by {guideline}.")
    assert "clarity: is not described" in str(error.value) and "emotion: has no option for 0" in str(error.value)


# ------------------------------------------------------------------------------------------------------- pairwise

KEY = "sk-secret-0123456789abcdef"


@pytest.fixture
def service() -> Iterator[Service]:
    with Service([]) as server:
        yield server


def selects(content: str | None) -> Answer:
    return says(chat(None, content))


@pytest.fixture
def pairwise(service: Service, monkeypatch: pytest.MonkeyPatch) -> PairwiseJudge:
    card = CARDS["llm-judge"]
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    where = {"base_url": f"{service.url}/v1", "timeout": 60.0}
    return scorers.load_judge(card.model_copy(update=where))


A, B = Image.new("RGB", (5, 4), (200, 10, 10)), Image.new("RGB", (3, 6), (10, 10, 200))


@pytest.mark.parametrize("bit", [False, True])
@pytest.mark.parametrize(("said", "meant"), [(0, "first"), (1, "second"), (-1, "tie")])
def test_the_order_is_undone_and_a_tie_stays_a_tie(
    service: Service, pairwise: PairwiseJudge, bit: bool, said: int, meant: str
) -> None:
    """With the bit set `b` is shown first; the answer is about `a` and `b`, never about first and second."""
    service.answers.append(selects(json.dumps({"selection": said})))
    expected = {"first": int(bit), "second": int(not bit), "tie": -1}[meant]
    assert pairwise.compare(A, B, "a faded barn", bit) == expected
    pictures = [part["image_url"]["url"] for part in service.received[0].body["messages"][0]["content"][1:]]
    shown = [Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/png;base64,")))) for url in pictures]
    assert [p.size for p in shown] == ([B.size, A.size] if bit else [A.size, B.size])
    assert shown[int(bit)].getpixel((0, 0)) == (200, 10, 10)


def test_the_request_asks_for_one_integer_at_the_temperature_of_the_row(
    service: Service, pairwise: PairwiseJudge
) -> None:
    service.answers.append(selects('{"selection": 1}'))
    pairwise.compare(A, B, "a faded barn", False)
    (received,) = service.received
    asked = received.body
    assert received.path == "/v1/chat/completions" and received.headers["authorization"] == f"Bearer {KEY}"
    assert asked["model"] == "qwen/qwen3-vl-235b-a22b-instruct" and asked["temperature"] == 0.3
    schema = asked["response_format"]["json_schema"]
    assert schema["strict"] and schema["schema"]["properties"]["selection"]["enum"] == [0, 1, -1]
    assert asked["messages"][0]["content"][0]["text"].endswith("a faded barn")


@pytest.mark.parametrize(
    "words",
    [
        '```json\n{"selection": 1}\n```',
        'The second shows the fading. {"selection": 1} I am sure.',
        '{"selection": "1"}',
        "1",
        ' "1" ',
    ],
)
def test_an_answer_is_read_however_it_is_dressed(service: Service, pairwise: PairwiseJudge, words: str) -> None:
    service.answers.append(selects(words))
    assert pairwise.compare(A, B, "a faded barn", False) == 1 and len(service.received) == 1


MISBEHAVIOURS: dict[str, tuple[Answer, bool]] = {
    "429": (says({"error": {"message": "slow down"}}, 429, retry_after="7"), True),
    "500": (says({}, 500), True),
    "503 with HTML": (html(503), True),
    "400 that quotes the key": (echoes_the_key(400), False),
    "401 that quotes half the key": (says({"error": {"message": KEY[:12]}}, 401), True),
    "HTML instead of JSON": (html(), True),
    "JSON of another kind": (says({"hello": 1}), True),
    "a cut connection": (cut(), True),
    "a slow drip": (drips(2.4), True),
    "words": (selects("I prefer the first."), True),
    "no content": (selects(None), True),
    "another number": (selects('{"selection": 2}'), True),
    "a boolean": (selects('{"selection": true}'), True),
    "a list": (selects("[1]"), True),
    "the key in the answer": (selects(KEY), True),
}


@pytest.mark.parametrize("what", MISBEHAVIOURS)
def test_a_misbehaving_service_is_a_failure_never_a_verdict(
    service: Service, pairwise: PairwiseJudge, what: str
) -> None:
    """It says whether another try can help, keeps quiet about the key, and asked exactly once."""
    answer, retryable = MISBEHAVIOURS[what]
    service.answers.append(answer)
    pairwise.card = pairwise.card.model_copy(update={"timeout": 1.0 if what == "a slow drip" else 60.0})
    with pytest.raises(JudgementFailed) as failure:
        pairwise.compare(A, B, "a barn", True)
    assert failure.value.retryable is retryable and len(service.received) == 1
    waits = {"429": 7.0, "401 that quotes half the key": math.inf}
    assert failure.value.retry_after == waits.get(what)
    told = "".join(traceback.format_exception(failure.value)) + f"{failure.value!r} {vars(failure.value)}"
    assert KEY not in told and KEY[:12] not in told and failure.value.__context__ is None


def test_a_refused_connection_can_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    card = CARDS["llm-judge"].model_copy(update={"base_url": "http://127.0.0.1:9/v1"})
    with pytest.raises(JudgementFailed) as failure:
        scorers.load_judge(card).compare(A, B, "a barn", False)
    assert failure.value.retryable


def test_without_a_key_the_judge_says_which_variable_it_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENROUTER_API_KEY", raising=False)
    with pytest.raises(Unavailable, match="export OPENROUTER_API_KEY"):
        scorers.load_judge(CARDS["gpt-5-chat"])


def test_a_judge_is_not_loaded_as_a_scorer_nor_a_scorer_as_a_judge() -> None:
    with pytest.raises(ValueError, match="use load_judge"):
        scorers.load(CARDS["llm-judge"])
    with pytest.raises(ValueError, match="use load"):
        scorers.load_judge(CARDS["clip-l"])
