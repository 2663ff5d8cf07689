"""Scorers as the tables rely on them: same pair, same score; nothing foreign in a checkpoint goes unseen."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from evidence import scorers
from evidence.cards.scorers import ScorerCard
from evidence.registry import SCORERS
from evidence.scorers.base import LocalScorer
from evidence.scorers.chat import PICTURE, within_budget
from evidence.scorers.framing import cropped, padded
from evidence.scorers.hpsv3 import read_template
from evidence.scorers.pickles import module_state
from evidence.weights import Unavailable
from ledger.problems import InputError
from tests.evidence.golden import folders, layouts
from tests.evidence.golden.folders import MAKERS, PICTURES, PROMPTS

CARDS = scorers.read()
PADDED = ("hpsv3", "blip-itm", "face-itm")
MATES = [Image.new("RGB", (64, 64), colour) for colour in ("white", "navy", "olive")]


@pytest.fixture(scope="module", params=MAKERS)
def scorer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LocalScorer:
    return scorers.load(MAKERS[request.param](tmp_path_factory.mktemp(request.param)))


def flat(scores: list[Any]) -> np.ndarray:
    return np.array([list(s.values()) if isinstance(s, dict) else [s] for s in scores])


# ------------------------------------------------------------------------------------------------ every scorer


def test_every_local_row_is_run_from_its_published_layout() -> None:
    """An adapter without a tiny folder would never have been loaded before somebody pays for the GPU."""
    made = {CARDS[name].adapter if name in CARDS else name for name in MAKERS}
    assert made == {name for name, adapter in SCORERS.items() if "torch" in adapter.packages}


def test_a_pair_has_one_score_whatever_its_batch_mates(scorer: LocalScorer) -> None:
    """Bit for bit at one batch size, and but for rounding at another."""
    alone = flat(scorer.score(PICTURES, PROMPTS))
    scorer.batch = 2
    try:
        together = flat(scorer.score([*PICTURES, *MATES], [*PROMPTS, "x", "y z", PROMPTS[1]]))[:3]
        reversed_ = flat(scorer.score(PICTURES[::-1], PROMPTS[::-1]))[::-1]
    finally:
        scorer.batch = 1
    assert np.isfinite(alone).all() and len({tuple(card) for card in alone}) == 3
    assert np.allclose(alone, together, rtol=2e-5, atol=2e-6) and np.allclose(alone, reversed_, rtol=2e-5, atol=2e-6)
    if scorer.card.adapter not in PADDED:  # these pad to the longest of a batch: their cards say batch 1
        assert np.array_equal(together, reversed_)


def test_rows_that_pad_to_the_longest_prompt_score_one_pair_at_a_time() -> None:
    """Else the last bits of a score would depend on its batch mates."""
    assert all(card.batch == 1 for card in CARDS.values() if card.adapter in PADDED)


def test_loading_again_gives_the_same_bits(scorer: LocalScorer) -> None:
    again = scorers.load(scorer.card)
    assert np.array_equal(flat(again.score(PICTURES, PROMPTS)), flat(scorer.score(PICTURES, PROMPTS)))


def test_no_pictures_give_no_scores_and_unequal_lists_are_refused(scorer: LocalScorer) -> None:
    assert scorer.score([], []) == []
    with pytest.raises(ValueError, match="1 pictures but 0 prompts"):
        scorer.score([PICTURES[0]], [])


def test_a_score_that_is_not_a_number_is_refused(scorer: LocalScorer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorer, "values", lambda *_: [float("nan")])
    with pytest.raises(ValueError, match="picture 0 is not a number"):
        scorer.score([PICTURES[0]], ["x"])


def test_its_row_knows_which_weights_and_words_it_scores_with(scorer: LocalScorer) -> None:
    """Samples are named by the card: the digest of everything that is loaded must be in its revision."""
    words = ["words"] if scorer.card.adapter in ("hpsv3", "digit-annotator") else []
    files = [*scorer.card.addresses, *words]
    assert scorer.card.revision.count("sha256:") == len(files)


def test_the_text_window_is_that_of_the_row(scorer: LocalScorer) -> None:
    """`truncated` counts by the real tokenizer, start and end included: exactly at the window all is still read."""
    window = scorer.text_window
    assert window == scorer.card.text_window or scorer.card.id == "treatments"
    if not window:
        assert scorer.truncated(["word " * 5000]) == [False]
        return
    one = "a" if scorer.card.adapter == "hpsv3" else "a "  # what is one token in these vocabularies
    fitting = one * (window - scorer.token_count(""))
    assert scorer.token_count(fitting) == window
    assert scorer.truncated([fitting, fitting + one]) == [False, True]


def test_words_beyond_the_window_do_not_reach_the_score(tmp_path: Path) -> None:
    """ImageReward reads 35 tokens: an effect asked for at the end of a long prompt cannot move its score."""
    scorer = scorers.load(MAKERS["imagereward"](tmp_path))
    long = "a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h "
    clear, blurred = scorer.score([PICTURES[0]] * 2, [long + "sharp", long + "blurred"])
    assert clear == blurred and scorer.truncated([long]) == [True]


def test_a_cpu_computes_in_float32_and_an_accelerator_in_the_type_of_the_row(tmp_path: Path) -> None:
    card = MAKERS["clip-l"](tmp_path)
    assert card.dtype == "float16"
    assert next(scorers.load(card).model.parameters()).dtype == torch.float32  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["hpsv3", "j-judge", "mps"])
def test_rotary_frequencies_stay_exact_in_half_precision(name: str, tmp_path: Path) -> None:
    """bfloat16 has eight bits: frequencies in it turn the thousandth token by a radian, and the score with it."""
    scorer: Any = scorers.load(MAKERS[name](tmp_path))
    exact = {key: part.clone() for key, part in scorer.model.named_buffers() if part.is_floating_point()}
    placed = scorer.place(scorer.model, torch.bfloat16)
    assert exact and {part.dtype for part in placed.parameters()} == {torch.bfloat16}
    assert all(torch.equal(part, exact[key]) for key, part in placed.named_buffers() if key in exact)


# ------------------------------------------------------------------------------------------------------- cards


def defects(tmp_path: Path, text: str) -> str:
    file = tmp_path / "scorers.toml"
    file.write_text(text)
    with pytest.raises(InputError) as error:
        scorers.read(file)
    return str(error.value)


GOOD = '[a]\nlabel = "A"\nadapter = "clip"\nrole = "encoder"\nweights = "local-dir:x"\noutput = "cosine"\n'


def test_a_misspelt_key_names_its_line_and_the_nearest_key(tmp_path: Path) -> None:
    told = defects(tmp_path, GOOD + "scalled = true\n")
    assert "scorers.toml:7 a.scalled: unknown key 'scalled', did you mean 'scaled'?" in told


def test_a_key_of_another_adapter_is_refused(tmp_path: Path) -> None:
    assert "scorers.toml:7 a.threshold: unknown key 'threshold'" in defects(tmp_path, GOOD + "threshold = 0.3\n")


def test_an_unknown_adapter_names_the_nearest(tmp_path: Path) -> None:
    assert "scorers.toml:3 a.adapter: no adapter 'clipp', did you mean 'clip'?" in defects(
        tmp_path, GOOD.replace('"clip"', '"clipp"')
    )


def test_all_defects_are_told_at_once(tmp_path: Path) -> None:
    told = defects(tmp_path, GOOD.replace("local-dir:x", "s3://x") + "batch = 0\n").splitlines()
    assert len(told) == 2 and "weights" in told[0] and "neither hf-hub:" in told[0] and "batch" in told[1]


def test_text_that_is_not_toml_names_its_line(tmp_path: Path) -> None:
    assert "scorers.toml:2" in defects(tmp_path, "[a]\nlabel =\n")


def test_every_fact_that_is_missing_is_declared_unknown() -> None:
    """A licence left out without a word would read as if there were none."""
    for card in CARDS.values():
        for fact, said in (("licence", card.licence), ("gating", card.gated)):
            assert said not in ("", None) or card.remote or any(fact in u for u in card.unknown), (card.id, fact)
        assert "@" in card.weights or not card.weights.startswith("hf-hub:") or "revision" in card.unknown, card.id


def test_a_row_needs_no_more_than_the_readme_says(tmp_path: Path) -> None:
    """Adapter, weights and what it puts out; a judge is one by its adapter."""
    (tmp_path / "s.toml").write_text(
        '[mine]\nadapter = "clip"\nweights = "local-dir:mine"\noutput = "cosine"\n'
        '[seen]\nadapter = "image-classifier"\nweights = "local-dir:seen"\noutput = "labels"\n',
        "utf-8",
    )
    cards = scorers.read(tmp_path / "s.toml")
    assert [(card.label, card.role) for card in cards.values()] == [("mine", "reward"), ("seen", "annotator")]


def test_reading_rows_loads_no_torch() -> None:
    """The plan, the status and the page read cards; torch takes seconds."""
    code = "import sys; from evidence import scorers; scorers.read(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_missing_weights_are_told_with_what_would_mend_it() -> None:
    with pytest.raises(Unavailable, match="hpsv1"):
        scorers.load(CARDS["hpsv1"].model_copy(update={"weights": "local-dir:.cache/nowhere/hpsv1"}))


def test_a_checkpoint_that_is_put_in_place_by_hand_is_asked_for_by_name(tmp_path: Path) -> None:
    """HPS v1 and MPS are on no hub: an empty folder must say what belongs into it."""
    layouts.clip_tokenizer(tmp_path, 77)
    with pytest.raises(Unavailable, match=r"hpc\.pth is not in .*OneDrive"):
        scorers.load(folders.at(CARDS["hpsv1"], tmp_path))


# ------------------------------------------------------------------------------------------------- checkpoints

FILES = {
    "hpsv1": "hpc.pth",
    "hpsv21": "HPS_v2.1_compressed.pt",
    "imagereward": "ImageReward.pt",
    "hpsv3": "HPSv3.safetensors",
    "mps": "MPS_overall_checkpoint.pth",
    "clip-l": "model.safetensors",
    "blip-l": "model.safetensors",
    "j-judge": "model.safetensors",
    "aesthetic-v25": "aesthetic_predictor_v2_5.pth",
    "image-classifier": "model.safetensors",
}
DROPPED = {
    "hpsv1": "visual.transformer.resblocks.1.ln_2.bias",
    "hpsv21": "ln_final.weight",
    "imagereward": "mlp.layers.6.bias",
    "hpsv3": "model.norm.weight",
    "mps": "cross_model.layers.3.1.fn.attn_out.weight",
    "clip-l": "visual_projection.weight",
    "blip-l": "itm_head.weight",
    "j-judge": "model.visual.merger.norm.weight",
    "aesthetic-v25": "scoring_head.6.bias",
    "image-classifier": "classifier.1.weight",
}


def rewrite(card: ScorerCard, name: str, change: Any) -> None:
    """The checkpoint of a tiny folder with its state dict changed in place."""
    path = Path(card.weights.removeprefix("local-dir:")) / FILES[name]
    if path.suffix == ".safetensors":
        state = load_file(path)
        change(state)
        save_file(state, path, {"format": "pt"})
    elif name == "mps":
        state = module_state(path)
        change(state)
        folders.pickle_module(state, path)
    else:
        content = torch.load(path, weights_only=True)
        change(content.get("state_dict", content))
        torch.save(content, path)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_key_is_an_error_that_names_the_file(name: str, tmp_path: Path) -> None:
    """Silently it would be a random layer, and every score of the run would be noise."""
    card = MAKERS[name](tmp_path)
    rewrite(card, name, lambda state: state.pop(DROPPED[name]))
    with pytest.raises(InputError, match="is missing") as error:
        scorers.load(card)
    assert tmp_path.name in str(error.value)


@pytest.mark.parametrize("name", FILES)
def test_an_unexpected_key_is_an_error_that_names_it(name: str, tmp_path: Path) -> None:
    """It means that the checkpoint is of another architecture than the one it is loaded into."""
    card = MAKERS[name](tmp_path)
    rewrite(card, name, lambda state: state.update({"extra.weight": torch.zeros(2)}))
    with pytest.raises(InputError, match=r"extra\.weight: is unexpected"):
        scorers.load(card)


@pytest.mark.parametrize("name", ["hpsv21", "imagereward", "hpsv3", "mps"])
def test_a_tensor_of_another_shape_is_an_error_with_both_shapes(name: str, tmp_path: Path) -> None:
    card = MAKERS[name](tmp_path)
    rewrite(card, name, lambda state: state.update({DROPPED[name]: torch.zeros(3)}))
    with pytest.raises(InputError, match=r"has shape \(3,\), expected"):
        scorers.load(card)


class Payload:
    """Pickles as a call. Each of these would leave a file behind if it ran."""

    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> Any:
        return self.call, self.arguments


def torch_archive(path: Path, content: Any) -> None:
    """What `torch.save` would write, with any pickle in it."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content if isinstance(content, bytes) else pickle.dumps(content, 2))
        archive.writestr("archive/version", "3\n")


@pytest.mark.parametrize("call", ["os.system", "eval", "getattr"])
def test_a_malicious_pickle_is_refused_and_does_not_run(call: str, tmp_path: Path) -> None:
    mark = tmp_path / "it-ran"
    payloads = {
        "os.system": Payload(os.system, f"touch {mark}"),
        "eval": Payload(eval, f"open({str(mark)!r}, 'w')"),
        "getattr": Payload(getattr, os, "name"),
    }
    content = payloads[call] if call != "getattr" else b"cbuiltins\ngetattr\n."
    torch_archive(tmp_path / "MPS_overall_checkpoint.pth", content)
    with pytest.raises(InputError, match="refused: it names"):
        module_state(tmp_path / "MPS_overall_checkpoint.pth")
    assert not mark.exists()


def test_a_name_of_a_model_library_is_inert_even_when_called(tmp_path: Path) -> None:
    """torch.hub can fetch and run code: here its name is an empty shell."""
    torch_archive(tmp_path / "x.pth", Payload(torch.hub.load, "owner/repo", "entry"))
    with pytest.raises(InputError, match="holds no module with tensors"):
        module_state(tmp_path / "x.pth")


@pytest.mark.parametrize("name", ["hpsv1", "imagereward"])
def test_a_malicious_state_dict_is_refused_and_does_not_run(name: str, tmp_path: Path) -> None:
    card, mark = MAKERS[name](tmp_path), tmp_path / "it-ran"
    torch_archive(tmp_path / FILES[name], {"state_dict": Payload(os.system, f"touch {mark}")})
    with pytest.raises(InputError, match="refused: it holds more than tensors"):
        scorers.load(card)
    assert not mark.exists()


def test_a_tensor_that_reaches_beyond_its_storage_is_refused(tmp_path: Path) -> None:
    """Reading past the end of a buffer would put memory of this process into the weights."""
    path = tmp_path / "x.pth"
    folders.pickle_module({"a.weight": torch.ones(4, 4)}, path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part.replace(b"K\x04K\x04\x86", b"K\x04K\x09\x86"))
    with pytest.raises(InputError, match="beyond its storage"):
        module_state(path)


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.pth").write_bytes(b"<html>quota exceeded</html>")
    with pytest.raises(InputError, match=r"x\.pth: refused"):
        module_state(tmp_path / "x.pth")


# --------------------------------------------------------------------------------------- what each one computes


def test_padding_keeps_the_ends_that_a_crop_cuts_off() -> None:
    """A wide picture with a red left end: HPSv2's framing shows it, the centre crop of HPS v1 does not."""
    wide = Image.new("RGB", (300, 100), "blue")
    wide.paste("red", (0, 0, 60, 100))
    kept, cut = padded(wide, 56), cropped(wide, 56)
    assert kept.shape == cut.shape == (3, 56, 56)
    assert kept[0, 28, 2] > 1 > 0 > cut[0].max()
    assert torch.equal(kept[:, :18].amax(dim=(1, 2)), kept[:, 0, 0]), "bars above"


def test_a_square_picture_is_framed_alike_by_both() -> None:
    square = Image.fromarray(layouts.picture(0)).resize((56, 56))
    assert torch.equal(padded(square, 56), cropped(square, 56))


def test_pickscore_is_clip_times_its_learned_scale(tmp_path: Path) -> None:
    card = MAKERS["pickscore"](tmp_path)
    scaled, plain = (
        flat(scorers.load(card.model_copy(update={"scaled": on})).score(PICTURES, PROMPTS)) for on in (True, False)
    )
    factor = np.exp(load_file(tmp_path / "model.safetensors")["logit_scale"].item())
    assert np.allclose(scaled, plain * factor, rtol=1e-5) and np.abs(plain).max() <= 1


def test_the_match_probability_of_blip_is_index_1(tmp_path: Path) -> None:
    """Index 0 is the mismatch; an earlier comparison read it. The raw logit is one number too: a sum of both would be
    taken for a score."""
    card = MAKERS["blip-l"](tmp_path)
    scorer: Any = scorers.load(card)
    share = scorer.score(PICTURES, PROMPTS)
    raw = scorers.load(card.model_copy(update={"logits": True})).score(PICTURES, PROMPTS)
    for number, (picture, prompt) in enumerate(zip(PICTURES, PROMPTS, strict=True)):
        ((mismatch, match),) = scorer.logits([picture], [prompt]).tolist()
        assert share[number] == pytest.approx(1 / (1 + np.exp(mismatch - match)), abs=1e-6)
        assert raw[number] == pytest.approx(match, abs=1e-6)


def test_a_face_is_matched_alone_and_a_picture_without_one_says_so(tmp_path: Path) -> None:
    """The match is that of BLIP for the surest box, cut to the picture; without a box there is none, and not 0."""
    card = MAKERS["blip-l-face"](tmp_path / "face")
    scorer: Any = scorers.load(card)
    whole: Any = scorers.load(CARDS["blip-l"].model_copy(update={"weights": card.weights}))
    for picture, prompt, found in zip(PICTURES, PROMPTS, scorer.score(PICTURES, PROMPTS), strict=True):
        with torch.inference_mode():
            left, top, right, bottom = scorer.face(picture)
        assert 0 <= left < right <= picture.width and 0 <= top < bottom <= picture.height
        assert (right - left, bottom - top) != picture.size
        (expected,) = whole.score([picture.crop((left, top, right, bottom))], [prompt])
        assert found == {"face": 1.0, "match": expected}
    nobody = scorers.load(card.model_copy(update={"threshold": 0.9}))
    assert nobody.score(PICTURES, PROMPTS) == [{"face": 0.0}] * 3


def test_blip_agrees_with_the_forward_pass_of_its_stock_class(tmp_path: Path) -> None:
    """Ours goes through the towers itself, because the stock pass makes a mask on the CPU wherever the model is."""
    scorer: Any = scorers.load(MAKERS["blip-l"](tmp_path))
    inputs = scorer.tokenizer(PROMPTS, padding=True, return_tensors="pt")
    pixels = scorer.processor(images=PICTURES, return_tensors="pt").pixel_values
    stock = scorer.model(inputs.input_ids, pixels, attention_mask=inputs.attention_mask).itm_score
    assert torch.allclose(scorer.logits(PICTURES, PROMPTS), stock, atol=1e-6)


def test_clip_agrees_with_the_logits_of_its_stock_class(tmp_path: Path) -> None:
    scorer: Any = scorers.load(MAKERS["pickscore"](tmp_path))
    pixels = scorer.processor(images=PICTURES, return_tensors="pt").pixel_values
    stock = scorer.model(input_ids=scorer.text.ids(PROMPTS), pixel_values=pixels).logits_per_image.diagonal()
    assert np.allclose(scorer.score(PICTURES, PROMPTS), stock.numpy(), rtol=1e-5)


def test_a_classifier_gives_every_label_a_share_of_its_own(tmp_path: Path) -> None:
    """Sigmoids, not a softmax: a picture may be blurred and grainy."""
    scorer = scorers.load(MAKERS["image-classifier"](tmp_path))
    (first, again) = scorer.score([PICTURES[0]] * 2, ["blur", "no blur"])
    assert isinstance(first, dict) and tuple(first) == folders.LABELS and first == again
    assert all(0 < share < 1 for share in first.values()) and sum(first.values()) != pytest.approx(1, abs=1e-3)


# -------------------------------------------------------------------------------------------------------- HPSv3


def test_hpsv3_sees_256_picture_tokens_of_any_square() -> None:
    """Small pictures are enlarged, large ones reduced, to 256 * 28 * 28 pixels."""
    assert {within_budget(side, side, 200704, 28) for side in (64, 448, 1024, 3000)} == {(448, 448)}
    for width, height in ((1024, 768), (512, 1536), (2000, 300)):
        columns, cards = within_budget(width, height, 200704, 28)
        assert columns % 28 == cards % 28 == 0 and columns * cards <= 200704 and columns * cards > 0.8 * 200704
        assert columns / cards == pytest.approx(width / height, rel=0.2)


def test_a_prompt_with_a_control_token_is_refused(tmp_path: Path) -> None:
    """Two reward tokens would be read at the first, which is the prompt's own."""
    scorer = scorers.load(MAKERS["hpsv3"](tmp_path))
    for bad in ("a barn <|Reward|>", f"a barn {PICTURE}"):
        with pytest.raises(ValueError, match="control token"):
            scorer.score([PICTURES[0]], [bad])


@pytest.mark.parametrize(
    ("name", "prompt"),
    [
        ("hpsv21", "a barn <|endoftext|> at night"),
        ("hpsv21", "a barn &lt;|endoftext|&gt; at night"),
        ("mps", "a barn <|endoftext|> at night"),
        ("clip-l", "<|startoftext|> a barn"),
        ("imagereward", "a barn [SEP] at night"),
        ("blip-l", "a barn [SEP] at night"),
        ("hpsv3", "a barn<|im_end|>"),
    ],
)
def test_an_end_mark_written_out_in_a_prompt_is_refused(name: str, prompt: str, tmp_path: Path) -> None:
    """What follows it would not be read, or the score would be taken there, without a word."""
    with pytest.raises(ValueError, match="control token"):
        scorers.load(MAKERS[name](tmp_path)).score([PICTURES[0]], [prompt])


def test_a_picture_of_more_than_eight_bits_is_refused_where_it_would_be_clipped(tmp_path: Path) -> None:
    deep = Image.fromarray(np.full((56, 56), 40000, np.uint16))
    with pytest.raises(ValueError, match="mode I;16 would be clipped"):
        scorers.load(MAKERS["clip-l"](tmp_path)).score([deep], ["fog"])


def test_a_picture_of_any_mode_scores_as_its_colours_do(tmp_path: Path) -> None:
    """Resized before they are colours, palettes and bits would be scaled as indices are."""
    scorer = scorers.load(MAKERS["imagereward"](tmp_path))
    for picture in (PICTURES[0].quantize(7), PICTURES[0].convert("1"), PICTURES[0].convert("CMYK")):
        assert scorer.score([picture], ["fog"]) == scorer.score([picture.convert("RGB")], ["fog"])


def from_wheel(path: Path, text: str = "", digest: str = "") -> str:
    """The instruction read from a wheel with this data collator, or from none where the text is empty."""
    if text:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("hpsv3/dataset/data_collator_qwen.py", text)
    card: Any = CARDS["hpsv3"].model_copy(update={"template": str(path), "template_sha256": digest})
    return read_template(card)


def test_the_instruction_is_read_from_the_official_wheel_without_running_it(tmp_path: Path) -> None:
    mark = tmp_path / "it-ran"
    code = f'open({str(mark)!r}, "w")\nINSTRUCTION = "PictureSpec {{text_prompt}}. "\n'
    code += 'prompt_with_special_token = "Say <|Reward|>"\n'
    assert from_wheel(tmp_path / "x.whl", code) == "PictureSpec {text_prompt}. Say <|Reward|>"
    assert not mark.exists()


def test_another_instruction_than_the_expected_one_is_refused(tmp_path: Path) -> None:
    code = 'INSTRUCTION = "PictureSpec {text_prompt}. "\nprompt_with_special_token = "Say <|Reward|>"\n'
    with pytest.raises(Unavailable, match="holds another instruction"):
        from_wheel(tmp_path / "x.whl", code, "0" * 64)


def test_a_missing_instruction_is_told_with_the_command_that_fetches_it() -> None:
    with pytest.raises(Unavailable, match=r"pip download --no-deps hpsv3==1\.0\.0 -d \.cache/nowhere"):
        from_wheel(Path(".cache/nowhere/hpsv3-1.0.0-py3-none-any.whl"))


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("clip-l", "text_model.embeddings.position_ids"),
        ("pickscore", "vision_model.embeddings.position_ids"),
        ("blip-l", "text_encoder.embeddings.position_ids"),
    ],
)
def test_counting_buffers_of_old_releases_are_no_surplus(name: str, key: str, tmp_path: Path) -> None:
    """Checkpoints on the hub were saved when 0, 1, 2, ... was kept beside the weights; today's classes make it anew."""
    card = MAKERS[name](tmp_path)
    before = scorers.load(card).score(PICTURES, PROMPTS)
    state = load_file(tmp_path / "model.safetensors") | {key: torch.arange(77)[None]}
    save_file(state, tmp_path / "model.safetensors", {"format": "pt"})
    assert scorers.load(card).score(PICTURES, PROMPTS) == before


def test_the_aesthetic_score_is_that_of_the_published_layers(tmp_path: Path) -> None:
    """Stock SigLIP's picture embedding, divided by its length, through the five layers of the file. No words."""
    from transformers import AutoImageProcessor, SiglipModel

    card = MAKERS["aesthetic-v25"](tmp_path)
    head = torch.load(tmp_path / "aesthetic_predictor_v2_5.pth", weights_only=True)
    pixels = AutoImageProcessor.from_pretrained(tmp_path, backend="pil")(images=PICTURES, return_tensors="pt")
    with torch.inference_mode():
        found = SiglipModel.from_pretrained(tmp_path).vision_model(**pixels).pooler_output
        found = found / found.norm(dim=-1, keepdim=True)
        for layer in (0, 2, 4, 6, 8):
            found = found @ head[f"scoring_head.{layer}.weight"].T + head[f"scoring_head.{layer}.bias"]
    scorer = scorers.load(card)
    assert np.allclose(flat(scorer.score(PICTURES, PROMPTS)), found, rtol=1e-5, atol=1e-6)
    assert scorer.score(PICTURES, ["x"] * 3) == scorer.score(PICTURES, PROMPTS)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a cat\u2019s \u201cpond\u201d", 'a cat\'s "pond"'),
        ("salt &amp; pepper", "salt & pepper"),
        ("salt &amp;amp; pepper", "salt & pepper"),
        ("a caf\u00c3\u00a9 at night", "a caf\u00e9 at night"),
        ("\uff46\uff4f\uff47", "fog"),
    ],
)
def test_hps_reads_a_prompt_as_its_own_tokenizer_cleans_it(written: str, read: str, tmp_path: Path) -> None:
    """Uncleaned, a published prompt with a curly apostrophe took 42 tokens for 38 and moved its score."""
    hps: Any = scorers.load(MAKERS["hpsv21"](tmp_path))
    assert torch.equal(hps.text.ids([written]), hps.text.ids([read]))
    assert hps.score(PICTURES[:1], [written]) == hps.score(PICTURES[:1], [read])
    assert hps.token_count(written) == hps.token_count(read)


def test_pickscore_reads_a_prompt_as_it_is_written(tmp_path: Path) -> None:
    """Its published formula uses the stock tokenizer, which cleans nothing."""
    stock: Any = scorers.load(MAKERS["pickscore"](tmp_path))
    assert not torch.equal(stock.text.ids(["salt &amp; pepper"]), stock.text.ids(["salt & pepper"]))
