"""Whole tables, piece by piece: extraction and prediction into Parquet, gone on with, and read again."""

import io
import json
import re
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import food

from mmsa_utils import LABELS, extract_features, load_features, load_model, load_posts
from mmsa_utils.apps import engine
from mmsa_utils.apps.cli import main
from mmsa_utils.learning import parts
from mmsa_utils.learning.stored import load_stored
from mmsa_utils.posts.pieces import open_table
from mmsa_utils.posts.streams import rows_in

pq = pytest.importorskip("pyarrow.parquet")

N, PIECE = 30, 8


def words(i: int) -> str:
    return f"{food(12)[i % 12].text} Number {i}."


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A labelled table, its pictures, and the same posts in other kinds of files."""
    place = tmp_path_factory.mktemp("posts")
    (place / "shards").mkdir()
    for i, post in enumerate(food(12)):
        post.image.save(place / f"{i}.png")
        shutil.copy(place / f"{i}.png", place / "shards")
    rows = [{"text": words(i), "image": f"{i % 12}.png", "label": LABELS[food(12)[i % 12].label]} for i in range(N)]
    lines = ["text,image,label", *(f'"{row["text"]}",{row["image"]},{row["label"]}' for row in rows)]
    (place / "posts.csv").write_text("\n".join(lines) + "\n", encoding="utf8")
    lines[3], lines[9] = "no picture,no.png,neutral", "too,many,cells,here"
    (place / "faulty.csv").write_text("\n".join(lines) + "\n,,\n", encoding="utf8")
    (place / "posts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf8")
    import pyarrow as pa

    table = pa.Table.from_pylist(rows)
    pq.write_table(table, place / "posts.parquet")
    with pa.ipc.new_stream(place / "posts.arrow", table.schema) as file:
        file.write_table(table)
    for shard, some in enumerate((rows[:13], rows[13:])):
        pq.write_table(pa.Table.from_pylist(some), place / "shards" / f"part-{shard}.parquet")
    with tarfile.open(place / "posts.tar", "w") as archive:
        for i, row in enumerate(rows):
            for ending, data in ((".png", (place / row["image"]).read_bytes()), (".txt", row["text"].encode()),
                                 (".cls", row["label"].encode())):
                member = tarfile.TarInfo(f"{i:04d}{ending}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return place


@pytest.fixture
def run(monkeypatch, capfd):
    """A command in pieces of eight posts → its result."""
    monkeypatch.setattr(engine, "PIECE", PIECE)

    def said(*given) -> dict:
        assert main([*map(str, given), "--json"]) == 0, capfd.readouterr().err
        return json.loads(capfd.readouterr().out)

    return said


@pytest.fixture(scope="module")
def extracted(folder, tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("extracted") / "features"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "PIECE", PIECE)
        assert main(["extract", "--data", str(folder / "posts.csv"), "--out", str(place)]) == 0
    return place


def table_of(place: Path):
    return pq.read_table(place)


# --- files as streams ---


@pytest.mark.parametrize("name", ["posts.csv", "posts.jsonl", "posts.parquet", "posts.arrow", "posts.tar", "shards"])
def test_every_kind_of_file_gives_the_same_posts(folder, name):
    table = open_table(folder / name, ("text", "image"))
    pieces = [piece for place in range(len(table.files)) for piece in table.pieces(place, PIECE)]
    assert [piece.name for piece in pieces] == sorted(piece.name for piece in pieces)
    found = [table.posts(piece)[0] for piece in pieces]
    assert [row.text for posts in found for row in posts.rows] == [words(i) for i in range(N)]
    assert found[0][1].image.tobytes() == food(12)[1].image.convert("RGB").tobytes()
    assert [row["label"] for piece in pieces for _, row in piece.rows] == [
        LABELS[food(12)[i % 12].label] for i in range(N)]


def test_a_row_is_known_by_its_number_and_faults_are_those_of_load_posts(folder):
    posts = load_posts(folder / "faulty.csv", skip_faulty=True, labelled=False)
    table = open_table(folder / "faulty.csv", ("text", "image"))
    numbers, faults = [], []
    for piece in table.pieces(0, PIECE):
        some, wrong = table.posts(piece)
        numbers += some.numbers
        faults += wrong.values()
    assert numbers == posts.numbers
    assert faults == posts.faults
    assert len(faults) == 2


def test_what_breaks_off_is_a_faulty_row_and_what_stood_before_it_is_kept(tmp_path):
    (tmp_path / "open.csv").write_text('text,image\na,b.png\n"left open,c.png\nd,e.png\n', encoding="utf8")
    (tmp_path / "latin.jsonl").write_bytes(b'{"text": "a"}\n' * 20000 + '{"text": "\u00e9t\u00e9"}\n'.encode("latin-1"))
    columns, rows = rows_in(tmp_path / "open.csv", ["text", "image"])
    (first, cells), (second, fault) = rows
    assert (columns, first, second, cells["text"]) == (["text", "image"], 2, 3, "a")
    assert "quotation mark left open" in str(fault)
    assert "Nothing after it was read" in str(fault)
    *whole, (number, fault) = rows_in(tmp_path / "latin.jsonl", ["text"])[1]
    assert number == len(whole) + 1 > 10000
    assert "is not UTF-8" in str(fault)


def test_a_damaged_part_of_a_table_is_named_and_the_others_are_read(folder, tmp_path, run):
    shutil.copytree(folder / "shards", tmp_path / "shards")
    (tmp_path / "shards" / "part-0.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(ValueError, match=r"part-0\.parquet cannot be read"):
        open_table(tmp_path / "shards", ("text", "image"))
    (tmp_path / "shards" / "part-0.parquet").rename(tmp_path / "shards" / "part-2.parquet")
    found = run("extract", "--data", tmp_path / "shards", "--out", tmp_path / "features")
    assert (found["posts"], found["faulty"], found["files_not_read"]) == (17, 0, 1)
    assert found["faults"][0].startswith("part-2.parquet row 0 is all there is: part-2.parquet cannot be read")


def read(path: Path, sides=("text", "image")) -> tuple[int, list[str], int]:
    """Posts, faults, and files that were not read to the end."""
    table = open_table(path, sides)
    pieces = [piece for place in range(len(table.files)) for piece in table.pieces(place, PIECE)]
    found = [table.posts(piece) for piece in pieces]
    return (sum(len(posts) for posts, _ in found), [fault for _, faults in found for fault in faults.values()],
            sum(piece.unread for piece in pieces))


@pytest.mark.parametrize(("content", "row", "said"), [
    (b'text,image\n"left open,b.png\n', 2, "a quotation mark left open"),
    (b"sep=,\ntext,image\n\"left open,b.png\n", 3, "a quotation mark left open"),
    (b"text,image\na,\n" + b"x" * 140_000 + b",b.png\nc,\n", 3, "a cell has more than 131,072 characters.: shorten"),
    (b"text,image\na,\n" + b"good,\n" * 2000 + b"cr\xe8me,\nlast,\n", 2003, "not UTF-8 text .* behind 'cr'"),
    ("text,image\na,\ncr".encode("utf-16") + b"\x00\xd8" + ",\nb,\n".encode("utf-16-le"), 3, "is not UTF-8 text")])
def test_the_row_where_a_csv_breaks_off_is_named(tmp_path, content, row, said):
    (tmp_path / "a.csv").write_bytes(content)
    posts, (fault,), unread = read(tmp_path / "a.csv")
    assert (fault.split()[:2], unread) == (["row", str(row)], 1)
    assert re.search(said, fault)
    assert posts == row - 2 - content.startswith(b"sep")  # every row before it


def test_the_line_where_json_is_no_text_is_named(tmp_path):
    lines = [b'{"text": "a"}'] * 2000
    lines[1500] = b'{"text": "cr\xe8me"}'
    (tmp_path / "a.jsonl").write_bytes(b"\n".join([*lines[:7], b"", *lines[7:]]))
    posts, (fault,), unread = read(tmp_path / "a.jsonl", ("text",))
    assert (posts, fault[:22], unread) == (1500, "row 1502 is not UTF-8 ", 1)


def packed(*names: str) -> bytes:
    """A tar of small files that hold their own names."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(name)
            archive.addfile(member, io.BytesIO(name.encode()))
    return made.getvalue()


FOUR = packed(*(f"{i}.{ending}" for i in range(4) for ending in ("txt", "cls")))  # 1,024 bytes each


@pytest.mark.parametrize(("content", "posts", "said"), [
    (FOUR, 4, None), (FOUR[:8 * 1024], 3, "row 3 is cut off"), (FOUR[:5 * 1024], 2, "row 2 is cut off"),
    (FOUR[:5 * 1024 + 100], 2, "row 2 is cut off"), (FOUR[:5 * 1024 + 512], 2, "row 2 is cut off"),
    (FOUR[:4 * 1024] + bytes(range(1, 129)) * 4 + FOUR[4 * 1024 + 512:], 1, "row 1 is cut off, or damaged"),
    (FOUR + FOUR, 4, "row 4 stands behind the end of the archive"), (FOUR + b"x", 4, "row 4 stands behind the end")])
def test_a_tar_is_read_to_its_end_or_says_so(tmp_path, content, posts, said):
    (tmp_path / "a.tar").write_bytes(content)
    found, faults, unread = read(tmp_path / "a.tar")
    assert (found, len(faults), unread) == (posts, int(said is not None), int(said is not None))
    assert said is None or faults[0].startswith(said)


@pytest.mark.parametrize(("content", "said"), [(b"", "it is empty"), (b"hello " * 500, "it is no tar file")])
def test_what_is_no_tar_is_refused_and_as_a_part_named(tmp_path, content, said):
    (tmp_path / "b.tar").write_bytes(content)
    with pytest.raises(ValueError, match=rf"b\.tar cannot be read: {said}"):
        read(tmp_path)
    (tmp_path / "a.tar").write_bytes(FOUR)
    posts, (fault,), unread = read(tmp_path)
    assert (posts, unread) == (4, 1)
    assert f"b.tar cannot be read: {said}" in fault


def test_files_of_one_kind_in_a_row_are_named_and_posts_without_a_side_counted(tmp_path, run, capfd):
    (tmp_path / "a.tar").write_bytes(packed("0.txt", "1.txt", "2.txt", "0.cls", "1.cls"))
    found = run("extract", "--data", tmp_path / "a.tar", "--out", f"{tmp_path / 'features'}/")
    assert (found["posts"], found["missing"], found["faulty"], found["files_not_read"]) == (3, {"image": 3}, 2, 0)
    assert found["faults"][0].startswith("row 3 holds more files of 0, which row 0 is")
    assert main(["extract", "--data", str(tmp_path / "a.tar"), "--out", str(tmp_path / "features")]) == 0
    assert "picture missing in 3 of 3 posts\n2 faulty rows, left out:" in capfd.readouterr().out
    answers = run("predict", "--data", tmp_path / "a.tar", "--out", f"{tmp_path / 'a.parquet'}/")
    assert (answers["posts"], answers["missing"], answers["skipped"]) == (3, {"image": 3}, 2)


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_a_part_that_is_damaged_inside_is_named_and_the_others_are_read(tmp_path, kind):
    import pyarrow as pa

    table = pa.table({"text": [f"{i} {i * i}" for i in range(600)]})
    for name in "abc":
        if kind == "parquet":
            pq.write_table(table, tmp_path / f"{name}.parquet", row_group_size=256, use_dictionary=False)
        else:
            with pa.ipc.new_stream(tmp_path / f"{name}.arrow", table.schema) as file:
                file.write_table(table, max_chunksize=256)
    file = tmp_path / f"b.{kind}"
    data = bytearray(file.read_bytes())
    if kind == "parquet":
        start = pq.ParquetFile(file).metadata.row_group(1).column(0).data_page_offset
        data[start:start + 40] = b"\xff" * 40
    file.write_bytes(data if kind == "parquet" else data[:len(data) // 2])
    posts, (fault,), unread = read(tmp_path, ("text",))
    assert (posts, unread) == (600 + 256 + 600, 1)
    assert fault.startswith("row 256 is damaged, or cut off (")


def test_a_disk_that_fails_ends_the_work_and_makes_no_faulty_rows(folder, tmp_path, monkeypatch):
    table = open_table(folder / "shards", ("text", "image"))

    def fails(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pq, "ParquetFile", fails)
    with pytest.raises(OSError, match=r"part-1\.parquet cannot be read: .*Permission denied"):
        list(table.pieces(1, PIECE))


def test_of_what_datasets_has_saved_its_own_files_are_read(tmp_path):
    import pyarrow as pa

    for name in ("data-00000-of-00001", "cache-f207a5327bc2c4c3"):
        with pa.ipc.new_stream(tmp_path / f"{name}.arrow", pa.schema([("text", pa.string())])) as file:
            file.write_table(pa.table({"text": ["one", "two"]}))
    with pytest.raises(ValueError, match="holds cache-f207a5327bc2c4c3.arrow, which datasets keeps of map"):
        read(tmp_path, ("text",))
    state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}
    (tmp_path / "state.json").write_text(json.dumps(state), encoding="utf8")
    assert read(tmp_path, ("text",)) == (2, [], 0)
    (tmp_path / "data-00000-of-00001.arrow").unlink()
    with pytest.raises(FileNotFoundError, match="which datasets has saved: copy the whole folder"):
        read(tmp_path, ("text",))
    (tmp_path / "sets").mkdir()
    (tmp_path / "sets" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}', encoding="utf8")
    with pytest.raises(ValueError, match=r"holds the sets train, test .* such as \S*sets.train\."):
        read(tmp_path / "sets", ("text",))


def test_pictures_alone_are_posts_labelled_by_their_folders(tmp_path):
    for name in ("negative/b.png", "positive/a.png"):
        (tmp_path / name).parent.mkdir()
        food(12)[0].image.save(tmp_path / name)
    table = open_table(tmp_path, ("text", "image"))
    (piece,) = table.pieces(0, PIECE)
    assert [(row["name"], row["label"]) for _, row in piece.rows] == [
        ("negative/b.png", "negative"), ("positive/a.png", "positive")]
    assert [post.text for post in table.posts(piece)[0]] == [None, None]


@pytest.mark.parametrize(("name", "said"), [
    ("nothing.csv", "there is no file"), ("posts.zip", "is a zip"), ("posts.xlsx", "of no kind"),
    ("mixed", "files of several kinds"), ("empty", "neither a table nor a picture"),
    ("other.csv", "lacks the column image, text")])
def test_what_is_no_table_is_refused_at_once(tmp_path, name, said):
    (tmp_path / "mixed").mkdir()
    (tmp_path / "empty").mkdir()
    for file in ("posts.zip", "posts.xlsx", "mixed/a.csv", "mixed/b.tar", "other.csv"):
        (tmp_path / file).write_text("a,b\n1,2\n", encoding="utf8")
    with pytest.raises((ValueError, OSError), match=said):
        open_table(tmp_path / name, ("text", "image"))


def test_huggingface_datasets_are_read_as_they_are_saved(folder, tmp_path):
    datasets = pytest.importorskip("datasets")
    rows = {"text": [words(i) for i in range(5)], "image": [str(folder / f"{i}.png") for i in range(5)],
            "label": [i % 3 for i in range(5)]}
    features = datasets.Features({"text": datasets.Value("string"), "image": datasets.Image(),
                                  "label": datasets.ClassLabel(names=list(LABELS))})
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(tmp_path / "saved")
    table = open_table(tmp_path / "saved", ("text", "image"), anywhere=True)
    (piece,) = table.pieces(0, PIECE)
    assert [row["label"] for _, row in piece.rows] == [LABELS[i % 3] for i in range(5)]
    posts, faults = table.posts(piece)
    assert faults == {}
    assert posts[4].image.tobytes() == food(12)[4].image.convert("RGB").tobytes()


# --- features ---


def test_features_are_those_of_one_pass_over_all_posts(folder, extracted):
    posts = load_posts(folder / "posts.csv")
    expected = extract_features(load_model(), posts, show_progress=False)
    found = load_features(extracted)
    assert found.labels.tolist() == expected.labels.tolist()
    assert found.texts == tuple(words(i) for i in range(N))
    for side, encoded in expected.sides.items():
        assert torch.allclose(found.sides[side].tokens, encoded.tokens, atol=1e-5)
        assert torch.equal(found.sides[side].mask, encoded.mask)


def test_features_are_mapped_and_not_held(extracted):
    found = load_features(extracted)
    array = found.sides["text"].tokens.numpy()
    maps = Path("/proc/self/maps")
    assert not maps.exists() or str(extracted / "_mapped" / "text.npy") in maps.read_text()
    saved = np.load(extracted / "_mapped" / "text.npy", allow_pickle=False)
    assert np.array_equal(saved, array)
    found.sides["text"].tokens[0] = 7  # a copy on write: the files stay as they are
    assert np.array_equal(np.load(extracted / "_mapped" / "text.npy", allow_pickle=False), saved)


def test_pandas_reads_the_folder_as_one_table_in_its_order(extracted):
    table = table_of(extracted)
    assert table["row"].to_pylist() == list(range(2, N + 2))
    assert table["text_features"].type.list_size == 128
    assert table["label"].to_pylist() == [LABELS[food(12)[i % 12].label] for i in range(N)]
    assert len(list(extracted.glob("*.parquet"))) == -(-N // PIECE)


def test_a_missing_side_is_null_and_masked(folder, tmp_path, run):
    (tmp_path / "some.csv").write_text(f"text,image\n{food(12)[0].text.split(',')[0]},\n,{folder / '1.png'}\n",
                                       encoding="utf8")
    run("extract", "--data", tmp_path / "some.csv", "--out", tmp_path / "features", "--anywhere")
    table = table_of(tmp_path / "features")
    assert table["image_features"].is_valid().to_pylist() == [False, True]
    found = load_features(tmp_path / "features")
    assert found.sides["image"].mask.tolist() == [[False], [True]]
    assert found.sides["text"].mask.tolist() == [[True], [False]]
    assert found.labels.tolist() == [-1, -1]


def test_sequences_keep_every_token(folder, tmp_path, run):
    run("extract", "--data", folder / "posts.csv", "--out", tmp_path / "features", "--fusion", "attention")
    from mmsa_utils import MultimodalSentimentModel

    model = MultimodalSentimentModel(fusion="attention", frozen=True)
    expected = extract_features(model, load_posts(folder / "posts.csv"), show_progress=False)
    found = load_features(tmp_path / "features")
    for side, encoded in expected.sides.items():
        assert torch.equal(found.sides[side].mask, encoded.mask)
        real = encoded.mask.unsqueeze(-1)
        assert torch.allclose((found.sides[side].tokens * real).float(), (encoded.tokens * real).float(), atol=2e-3)


def test_a_faulty_row_is_named_and_ends_nothing(folder, tmp_path, run):
    found = run("extract", "--data", folder / "faulty.csv", "--out", tmp_path / "features")
    assert (found["posts"], found["faulty"]) == (N - 2, 2)
    assert "row 4: there is no picture file" in found["faults"][0]
    assert found["faults"][1].startswith("row 10 has 4 cells, and the header 3")
    table = table_of(tmp_path / "features")
    assert [row for row, fault in zip(table["row"].to_pylist(), table["fault"].to_pylist()) if fault] == [4, 10]
    assert len(load_features(tmp_path / "features")) == N - 2


def test_what_was_broken_off_goes_on_where_it_was(folder, extracted, tmp_path, run, monkeypatch):
    made, write = [], parts.write_part

    def broken_off(folder, name, table, tally):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(name)
        write(folder, name, table, tally)

    place = tmp_path / "features"
    with monkeypatch.context() as patch:
        patch.setattr(parts, "write_part", broken_off)
        assert main(["extract", "--data", str(folder / "posts.csv"), "--out", str(place)]) == 130
    with pytest.raises(ValueError, match="is not finished"):
        load_features(place)
    (place / f"{made[1]}.parquet").write_bytes(b"PAR1 half of a part")
    found = run("extract", "--data", folder / "posts.csv", "--out", place)
    assert (found["parts_found"], found["parts"], found["posts"]) == (1, 4, N)
    for path in extracted.glob("*.parquet"):
        assert path.read_bytes() == (place / path.name).read_bytes()
    assert run("extract", "--data", folder / "posts.csv", "--out", place)["parts_found"] == 4


@pytest.mark.parametrize(("changed", "said"), [
    (["--pair", "bert+resnet18"], "other recipe"), (["--fusion", "attention"], "other recipe"),
    (["--label-column", "none"], "other table")])
def test_a_folder_is_not_gone_on_with_by_another_job(folder, extracted, capfd, monkeypatch, changed, said):
    monkeypatch.setattr(engine, "PIECE", PIECE)
    assert main(["extract", "--data", str(folder / "posts.csv"), "--out", str(extracted), *changed]) == 1
    assert said in capfd.readouterr().err
    assert len(load_features(extracted)) == N


def test_a_folder_with_something_else_in_it_is_left_alone(folder, tmp_path, capfd):
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["extract", "--data", str(folder / "posts.csv"), "--out", str(tmp_path)]) == 1
    assert "holds mine.txt" in capfd.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_alignment_on_extracted_features_is_that_on_the_table(folder, extracted, tmp_path, run):
    own = run("align", "--data", folder / "posts.csv", "--seeds", "1", "--out", tmp_path / "own")
    found = run("align", "--data", f"features:{extracted}", "--seeds", "1", "--out", tmp_path / "found")
    assert found["after"] == own["after"]
    assert found["alike"] == own["alike"]
    one, other = (load_model(tmp_path / name) for name in ("own", "found"))
    for name, weights in one.state_dict().items():
        assert torch.allclose(weights.float(), other.state_dict()[name].float(), atol=1e-3), name
    measured = run("evaluate", "--model", tmp_path / "found", "--data", f"features:{extracted}")
    assert measured["posts"] == found["posts"]["test"]


def test_features_are_refused_where_the_fusion_reads_more(extracted, capfd):
    assert main(["align", "--data", f"features:{extracted}", "--fusion", "attention", "--seeds", "1"]) == 1
    assert "extract them anew with --fusion attention" in capfd.readouterr().err


def copied(extracted: Path, to: Path) -> tuple[Path, Path]:
    """The features once more, and one of their parts."""
    shutil.copytree(extracted, to)
    return to, sorted(to.glob("*.parquet"))[1]


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("harm", ["missing", "cut", "unreadable"])
def test_features_of_which_a_part_is_gone_are_refused_and_left_alone(extracted, tmp_path, monkeypatch, harm, mapped):
    place, part = copied(extracted, tmp_path / "features")
    if mapped:
        load_features(place)
    else:
        shutil.rmtree(place / "_mapped", ignore_errors=True)
    whole, said = part.read_bytes(), "is damaged"
    if harm == "missing":
        part.unlink()
        said = f"of the {N} posts that were extracted into .*, {N - PIECE} are there"
    elif harm == "cut":
        part.write_bytes(whole[:200])
    else:
        schema, said = pq.read_schema, "Permission denied"

        def refused(path, *rest, **options):
            if Path(path) == part:
                raise PermissionError(13, "Permission denied")
            return schema(path, *rest, **options)

        monkeypatch.setattr(pq, "read_schema", refused)
    left = sorted(path.name for path in place.iterdir())
    with pytest.raises((ValueError, OSError), match=said):
        load_features(place)
    if harm == "unreadable":
        with pytest.raises(OSError, match=said):  # extract removes a damaged part, and never one like this
            parts.begin(place, {})
    assert sorted(path.name for path in place.iterdir()) == left


def test_only_damaged_parts_are_removed_to_be_made_anew(extracted, tmp_path):
    place, part = copied(extracted, tmp_path / "features")
    part.write_bytes(part.read_bytes()[:200])
    shutil.copy(sorted(place.glob("*.parquet"))[0], place / "mine.parquet")
    mine = pq.read_table(place / "mine.parquet", columns=["row"])
    pq.write_table(mine.replace_schema_metadata(), place / "my.parquet")
    assert part.stem not in parts.begin(place, {})
    assert (part.exists(), (place / "mine.parquet").exists(), (place / "my.parquet").exists()) == (False, True, True)


def test_faulty_rows_of_features_are_those_of_the_table(folder, tmp_path, run, capfd):
    lines = (folder / "posts.csv").read_text(encoding="utf8").splitlines()
    lines[4], lines[11] = lines[4].rpartition(",")[0] + ",happy", f'"{words(10)}",,positive'
    (folder / "some.csv").write_text("\n".join(lines) + "\n", encoding="utf8")
    run("extract", "--data", folder / "some.csv", "--out", tmp_path / "features")
    said = {}
    for data in (folder / "some.csv", f"features:{tmp_path / 'features'}"):
        assert main(["align", "--data", str(data), "--seeds", "1"]) == 1
        *said[data], remedy = [line for line in capfd.readouterr().err.splitlines() if line.startswith("row ")
                               or "--skip-faulty" in line]
        assert "A side is missing in 1 of them: --modality-dropout 0.3" in remedy
        (folder / "faulty_rows.txt").unlink(missing_ok=True)
    assert [line.split(":")[0] for line in next(iter(said.values()))] == ["row 5", "row 12"]
    assert len({tuple(lines) for lines in said.values()}) == 1
    assert run("align", "--data", data, "--seeds", "1", "--skip-faulty")["left_out"] == {"faulty rows": 2}
    own = load_posts(folder / "some.csv", skip_faulty=True, complete=True)
    found = load_stored(tmp_path / "features", skip_faulty=True, complete=True).posts
    assert [row.text for row in found.rows] == [row.text for row in own.rows]
    assert found.faults == own.faults
    assert len(load_stored(tmp_path / "features", skip_faulty=True).posts) == N - 1


# --- answers ---


@pytest.mark.parametrize(("command", "said"), [
    (["predict", "--out", "answers.csv"], "give --out a name that ends in .parquet"),
    (["align", "--seeds", "1"], "give extract --data")])
@pytest.mark.parametrize("name", ["posts.tar", "posts.parquet", "shards"])
def test_what_is_read_piece_by_piece_alone_says_how(folder, tmp_path, monkeypatch, capfd, name, command, said):
    monkeypatch.chdir(tmp_path)
    assert main([*command, "--data", str(folder / name)]) == 1
    assert said in capfd.readouterr().err


def test_too_few_workers_are_refused(folder, tmp_path, capfd):
    with pytest.raises(SystemExit):
        main(["extract", "--data", str(folder / "posts.csv"), "--out", str(tmp_path), "--workers", "-1"])
    assert "-1 are too few" in capfd.readouterr().err


def test_answers_are_those_of_the_csv(folder, tmp_path, run):
    csv = run("predict", "--data", folder / "faulty.csv", "--out", tmp_path / "answers.csv", "--skip-faulty")
    found = run("predict", "--data", folder / "faulty.csv", "--out", tmp_path / "answers.parquet")
    assert {key: value for key, value in csv.items() if key not in ("answers",)} == {
        key: value for key, value in found.items() if key not in ("answers", "parts", "parts_found", "files_not_read")}
    rows = [dict(zip(head.split(","), line.split(","))) for head, *lines in
            [(tmp_path / "answers.csv").read_text(encoding="utf8").splitlines()] for line in lines]
    table = table_of(tmp_path / "answers.parquet")
    assert [name for name in table.column_names if name not in ("file", "fault")] == list(rows[0])
    whole = [row for row in table.to_pylist() if row["fault"] is None]
    assert [(str(row["row"]), row["answer"]) for row in whole] == [(row["row"], row["answer"] or None) for row in rows]
    for row, line in zip(whole, rows):
        for name in (f"p_{label}" for label in LABELS):
            assert row[name] == pytest.approx(float(line[name]), abs=2e-6)
    assert {row["answer"] for row in table.to_pylist() if row["fault"]} == {None}


def test_answers_are_no_features(folder, tmp_path, run):
    run("predict", "--data", folder / "posts.csv", "--out", tmp_path / "answers.parquet")
    with pytest.raises(ValueError, match="holds answers"):
        load_features(tmp_path / "answers.parquet")
    with pytest.raises(ValueError, match="holds no parts"):
        load_features(folder)


def test_many_faulty_rows_are_all_named_in_a_file_beside_the_folder(folder, tmp_path, run):
    rows = [f"text {i},none-{i}.png" for i in range(12)] + [f"whole,{folder / '1.png'}"]
    (tmp_path / "many.csv").write_text("text,image\n" + "\n".join(rows) + "\n", encoding="utf8")
    found = run("extract", "--data", tmp_path / "many.csv", "--out", f"{tmp_path / 'features'}/", "--anywhere")
    assert (found["posts"], found["faulty"], len(found["faults"])) == (1, 12, 11)
    named = (tmp_path / "faulty_rows.txt").read_text(encoding="utf8").splitlines()
    assert [line.split(":")[0] for line in named] == [f"row {i + 2}" for i in range(12)]
