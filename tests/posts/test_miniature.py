"""The miniatures have the true layouts, the true shares and the mess of the real sets."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mmsa_utils.posts.real.duplicates import across
from mmsa_utils.posts.real.memes import load_memes
from mmsa_utils.posts.real.mess import LONGEST, messy, sentence, stored
from mmsa_utils.posts.real.miniature import CONFUSION, KINDS, SIDES, write_miniature
from mmsa_utils.posts.real.mvsa import load_mvsa, merge_labels, read_mvsa_labels
from mmsa_utils.posts.real.twitter import load_twitter
from mmsa_utils.posts.real.wording import SUBJECTS


@pytest.fixture(scope="module")
def single(tmp_path_factory) -> Path:
    return write_miniature(tmp_path_factory.mktemp("minis") / "single", n=600)


def content(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return found.hexdigest()


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_gives_the_same_files(kind, tmp_path):
    folders = [write_miniature(tmp_path / str(place), kind, n=60, seed=seed) for place, seed in enumerate((5, 5, 6))]
    first, again, other = [content(folder) for folder in folders]
    assert first == again != other
    with pytest.raises(FileExistsError, match="holds files already"):
        write_miniature(folders[0], kind, n=60)


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(ValueError, match="kind is 'mosi': expected one of mvsa-single"):
        write_miniature(tmp_path, "mosi")
    with pytest.raises(ValueError, match="expected at least 60"):
        write_miniature(tmp_path, n=10)


def test_single_has_the_true_shares():
    said = CONFUSION.T @ SIDES["mvsa-single"] @ CONFUSION / SIDES["mvsa-single"].sum()
    assert np.trace(said) == pytest.approx(2592 / 4869, abs=0.005)
    assert said[0, 2] + said[2, 0] == pytest.approx(358 / 4869, abs=0.003)
    usual = [said[0, 0] + 2 * said[0, 1], said[1, 1], said[2, 2] + 2 * said[1, 2]]
    assert np.array(usual) / sum(usual) == pytest.approx(np.array([1358, 470, 2683]) / 4511, abs=0.006)


def test_single_has_the_true_layout_and_every_trap(single):
    assert (single / "labelResultAll.txt").read_bytes().startswith(b"ID\ttext,image\n")
    posts = load_mvsa(single)
    assert posts.left_out["picture does not open"] == 6
    assert posts.left_out["picture is missing"] == 2
    assert posts.left_out["text is empty"] == 2
    assert posts.left_out["opposed"] == pytest.approx(600 * 358 / 4869, abs=18)
    assert posts.notes["texts mended"] >= 5
    assert posts.notes["texts read as cp1252"] >= 3
    sizes = {path.stat().st_size for path in (single / "data").glob("*.jpg")}
    assert 0 in sizes
    found = across({"all": posts})["all"]
    assert found["picture within"] >= 20
    assert found["both within"] >= 5
    kinds = {path.read_bytes()[:3] for path in (single / "data").glob("*.jpg")}
    assert {b"\xff\xd8\xff", b"GIF"} <= kinds
    texts = " ".join(post.text for post in posts)
    for sign in ("#", "@", "RT @", "http://t.co/", ":)", "…", "&amp;"):
        assert sign in texts


def test_text_says_more_than_the_picture_and_neither_says_all(single):
    pytest.importorskip("sklearn")
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline

    posts = load_mvsa(single, check_pictures=False)
    labels = np.array([row.label for row in posts.rows])
    model = make_pipeline(TfidfVectorizer(min_df=2, sublinear_tf=True), LogisticRegression(C=3, max_iter=1000))
    text = cross_val_score(model, [row.text for row in posts.rows], labels, cv=5).mean()
    majority = (labels == 2).mean()
    assert majority + 0.02 < text < 0.78
    assert 0.5 < majority < 0.68


def test_three_annotators_of_multiple_agree_in_part(tmp_path):
    table = read_mvsa_labels(write_miniature(tmp_path, "mvsa-multiple", n=300) / "labelResultAll.txt")
    assert table.annotations.shape == (300, 3, 2)
    same = (table.annotations[:, 0] == table.annotations[:, 1]).mean()
    assert 0.65 < same < 0.9
    assert {"opposed", "no majority"} == set(merge_labels(table.annotations).left_out)


def test_twitter_has_five_columns_under_four_names(tmp_path):
    folder = write_miniature(tmp_path, "twitter2015", n=150)
    lines = {split: (folder / f"{split}.tsv").read_text(encoding="utf-8").split("\n")
             for split in ("train", "dev", "test")}
    assert [len(lines[split][0].split("\t")) for split in lines] == [5, 5, 4]
    rows = [row.split("\t") for split in lines for row in lines[split][1:-1]]
    assert len(rows) == 150
    assert all(len(row) == 5 and row[3].count("$T$") == 1 and row[4] not in row[3].split("$T$")[0] for row in rows)
    splits = load_twitter(folder)
    counts = Counter(row.label for posts in splits.values() for row in posts.rows)
    assert counts[1] > counts[2] > counts[0] > 0
    assert sum(posts.left_out.get("picture does not open", 0) for posts in splits.values()) >= 1
    assert any(posts.notes for posts in splits.values())


def test_memes_have_their_layouts(tmp_path):
    folder = write_miniature(tmp_path / "hateful", "hateful-memes", n=60)
    records = [json.loads(line) for line in (folder / "train.jsonl").read_text().split("\n")]
    assert list(records[0]) == ["id", "img", "label", "text"]
    assert "label" not in json.loads((folder / "test.jsonl").read_text().split("\n")[0])
    splits = load_memes(folder)
    assert sum(len(posts) for posts in splits.values()) == 59
    both = {record["text"] for record in records if record["label"]} & {
        record["text"] for record in records if not record["label"]}
    assert both  # the same words, hateful and not
    posts = load_memes(write_miniature(tmp_path / "memotion", "memotion", n=60))
    assert len(posts) == 59
    assert posts.counts()["positive"] > posts.counts()["neutral"] > posts.counts()["negative"]


# --- texts ---


def test_lines_are_many_on_a_dozen_subjects_and_of_each_kind():
    assert len(SUBJECTS) == 12
    assert sum(len(subject.lines) for subject in SUBJECTS.values()) >= 120
    for subject in SUBJECTS.values():
        assert {line.kind for line in subject.lines} == set("+-><~=")
        assert len({line.text for line in subject.lines}) == len(subject.lines)


def test_texts_are_short_and_stored_in_several_ways():
    rng = np.random.default_rng(0)
    texts = []
    for _ in range(300):
        mood = ("negative", "neutral", "positive")[rng.integers(3)]
        texts.append(messy(sentence(mood, rng), mood, rng))
    assert max(map(len, texts)) <= LONGEST
    assert len(set(texts)) > 290
    held = [stored("café ☀", rng) for _ in range(400)]
    assert {"café ☀".encode(), "café ?".encode("cp1252"), "café ☀".encode("utf-8-sig"),
            "cafÃ© â˜€".encode(), "café ☀".encode()[:-1]} == set(held)
