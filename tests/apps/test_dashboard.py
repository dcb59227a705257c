"""The dashboard as its visitors meet it, through gradio_client, and as whoever starts it does, on the command line."""

import base64
import io
import socket
import sys
import threading
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from mmsa_utils import EncoderUnavailable, FoodPosts, MultimodalSentimentModel, load_model
from mmsa_utils.apps import answers as replies
from mmsa_utils.apps import dashboard
from mmsa_utils.apps import page as pages
from mmsa_utils.apps.cli import main
from mmsa_utils.posts.pictures import MAX_BYTES
from mmsa_utils.reading.reader import MAX_TEXT, Reader, examples

gradio_client = pytest.importorskip("gradio_client")
httpx = pytest.importorskip("httpx")
pytest.importorskip("gradio")
FILE = {"_type": "gradio.FileData"}


@pytest.fixture(scope="module")
def page():
    page = pages.build()
    yield page
    page.close(verbose=False)


@pytest.fixture(scope="module")
def url(page) -> str:
    return dashboard.launch(page)


@pytest.fixture(scope="module")
def client(url):
    return visitor_of(url)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(load_model())


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> dict[str, Path]:
    """The examples' pictures as files."""
    folder = tmp_path_factory.mktemp("photos")
    for i, post in enumerate(examples().values()):
        post.image.save(folder / f"{i}.png")
    return {name: folder / f"{i}.png" for i, name in enumerate(examples())}


def visitor_of(url: str, **options):
    """A client that does not read all certificates of this machine for each request: there are none on loopback."""
    return gradio_client.Client(url, verbose=False, ssl_verify=False, **options)


def ask(client, text: str, photo: Path) -> dict:
    return client.predict(text, gradio_client.handle_file(str(photo)), api_name="/read")


def same(answer: dict, read) -> bool:
    """Is an answer from the page the reading itself? All but its time."""
    expected = read.summary
    sides = ("probabilities", "text_alone", "picture_alone")
    return (all(answer[side] == pytest.approx(expected[side], abs=1e-4) for side in sides)
            and all(answer[key] == expected[key] for key in ("label", "contradicts", "winner", "cut")))


def event(page, name: str):
    """The function behind one of the page's own events."""
    (found,) = {function.fn for function in page.fns.values() if function.name == name}
    return found


# --- answers ---


def test_every_example_is_answered_as_the_reader_does(client, photos, reader):
    for name, post in examples().items():
        answer = ask(client, post.text, photos[name])
        assert same(answer, reader.read(post.text, post.image))
        assert answer["label"] == ("positive" if name == "the burger" else "negative")
        assert 0 < answer["seconds"] < 10


def test_sixty_requests_of_six_clients_at_once(url, photos, reader):
    """Every request is another post, so a lost or swapped answer shows."""
    texts = [post.text for post in FoodPosts(15, "test", seed=3)]
    names = list(photos)
    work = [(f"{texts[i // 4]} {i}", names[i % 4]) for i in range(60)]
    expected = [reader.read(text, examples()[name].image) for text, name in work]
    assert len({read.both for read in expected}) == len({text for text, _ in work})
    answers: dict[int, dict] = {}
    faults = []

    def visit(number: int) -> None:
        try:
            own = visitor_of(url)
            for i in range(number, 60, 6):
                answers[i] = ask(own, work[i][0], photos[work[i][1]])
        except Exception as error:
            faults.append(error)

    visitors = [threading.Thread(target=visit, args=(number,)) for number in range(6)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert faults == []
    assert len(answers) == 60
    assert [i for i in range(60) if not same(answers[i], expected[i])] == []


def test_memory_does_not_grow(url):
    noise, file = np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8), io.BytesIO()
    Image.fromarray(noise).save(file, "png")  # a megabyte
    content = file.getvalue()
    with httpx.Client(base_url=url) as visitor:

        def after(requests: int) -> float:
            for i in range(requests):
                (path,) = visitor.post("gradio_api/upload", files={"files": ("a.png", content)}).json()
                post = [f"good {i}", {"path": path, "meta": FILE}]
                started = visitor.post("gradio_api/call/read", json={"data": post})
                assert "probabilities" in visitor.get(f"gradio_api/call/read/{started.json()['event_id']}").text
            return psutil.Process().memory_info().rss / 2**20

        before = after(8)
        assert after(20) - before < 10  # MB; a picture kept for each request would make 20


# --- what is refused: friendly, and without a place on this machine ---


def friendly(message: str) -> str:
    places = ("/tmp", "/work", "/home", "site-packages", "mmsa-dashboard", "/etc", "Traceback", "0x")
    assert [place for place in places if place in message] == []
    return message


def refused(client, text: str, picture: object) -> str:
    with pytest.raises(gradio_client.exceptions.AppError) as info:
        client.predict(text, picture, api_name="/read")
    return friendly(str(info.value))


def refused_raw(url: str, text: object, picture: object) -> str:
    """What a program hears that speaks to the server without gradio_client, which has checks of its own."""
    started = httpx.post(f"{url}gradio_api/call/read", json={"data": [text, picture]})
    answer = httpx.get(f"{url}gradio_api/call/read/{started.json()['event_id']}").text
    assert answer.startswith("event: error"), answer
    return friendly(answer)


@pytest.mark.parametrize(("text", "said"), [("", "There is no text"), (" \n ", "There is no text"),
                                            ("a" * (MAX_TEXT + 1), "2,001 characters, expected at most 2,000")])
def test_a_bad_text_is_refused(client, photos, text, said):
    assert said in refused(client, text, gradio_client.handle_file(str(photos["the burger"])))


def bad_pictures() -> dict[str, tuple[bytes, str]]:
    whole, bomb = io.BytesIO(), io.BytesIO()
    examples()["sarcasm"].image.save(whole, "png")
    Image.new("1", (30000, 30000)).save(bomb, "png")  # 900 megapixels in some kilobytes
    return {"truncated.png": (whole.getvalue()[:4000], "cannot be read as a picture"),
            "text.png": (b"this is no picture", "cannot be read as a picture"),
            "empty.jpg": (b"", "cannot be read as a picture"),
            "drawing.svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "cannot be read as a picture"),
            "photo.heic": (b"\0\0\0\x18ftypheic" + bytes(200), "picture"),
            "bomb.png": (bomb.getvalue(), "megapixels")}


@pytest.mark.parametrize("name", ["truncated.png", "text.png", "empty.jpg", "drawing.svg", "photo.heic", "bomb.png"])
def test_a_bad_picture_is_refused(client, tmp_path, name):
    content, said = bad_pictures()[name]
    (tmp_path / name).write_bytes(content)
    message = refused(client, "good", gradio_client.handle_file(str(tmp_path / name)))
    assert said in message


def test_a_post_may_lack_a_side_and_not_both(client, reader):
    answer = client.predict("This burger is good.", None, api_name="/read")
    alone = reader.alone("text", ["This burger is good."])[0].tolist()
    assert list(answer["probabilities"].values()) == pytest.approx(alone, abs=1e-4)
    assert (answer["missing"], answer["picture_alone"]) == (["picture"], None)
    assert "neither text nor picture: give at least one" in refused(client, None, None)


@pytest.mark.parametrize("path", ["/etc/passwd", "/etc", "../../etc/passwd", str(Path(__file__).resolve()), ""])
def test_files_of_the_server_cannot_be_named(url, path):
    refused_raw(url, "good", {"path": path, "meta": FILE})


def test_folders_of_the_uploads_cannot_be_named(url, page):
    assert "no longer here" in refused_raw(url, "good", {"path": page.mmsa_folder.name, "meta": FILE})


@pytest.mark.parametrize("field", ["text", "picture"])
def test_the_server_fetches_no_address(url, field):
    """Gradio would fetch a file that is named by its address, for any component."""
    with socket.socket() as trap:
        trap.bind(("127.0.0.1", 0))
        trap.listen()
        trap.setblocking(False)
        bait = {"path": f"http://127.0.0.1:{trap.getsockname()[1]}/a.png", "meta": FILE}
        assert "Expected an uploaded file" in refused_raw(url, *((bait, None) if field == "text" else ("good", bait)))
        with pytest.raises(BlockingIOError):
            trap.accept()


@pytest.mark.parametrize(("given", "said"), [
    (base64.b64encode(bytes(99)).decode(), "a text (base64, or a path?)"),
    ("data:image/png;base64,AAAA", "a data address"), ("/etc/passwd", "a text (base64, or a path?)"),
    ({"path": "data:image/png;base64,AAAA", "meta": FILE}, "a data address"),
    ({"url": "data:image/png;base64,AAAA", "path": "a.png", "meta": FILE}, "a data address"),
    ([1, 2], "of the kind list"), (7, "of the kind int")])
def test_a_picture_that_is_no_upload_is_told_how_to_be_one(url, given, said):
    answer = refused_raw(url, "good", given).replace("/etc", "")
    assert said in answer
    assert "handle_file" in answer
    assert "gradio_api/upload" in answer


def test_a_request_without_a_picture_is_told_what_is_missing(url):
    started = httpx.post(f"{url}gradio_api/call/read", json={"data": ["good"]})
    answer = httpx.get(f"{url}gradio_api/call/read/{started.json()['event_id']}").text
    assert "Expected a text and a picture, got 1" in friendly(answer)


def test_a_phone_picture_is_read(client, tmp_path):
    Image.new("RGB", (12000, 8500), "brown").save(tmp_path / "phone.jpg")  # 102 megapixels
    assert ask(client, "This burger is delicious!", tmp_path / "phone.jpg")["label"]


def test_a_large_file_is_refused_at_the_door(url):
    answer = httpx.post(f"{url}gradio_api/upload", files={"files": ("large.png", b"\0" * (MAX_BYTES + 2**20))})
    assert answer.status_code == 413
    assert "maximum allowed size" in friendly(answer.text)


def test_a_file_of_twenty_megabytes_comes_in(url, photos):
    content = photos["the burger"].read_bytes() + bytes(20 * 2**20)
    assert httpx.post(f"{url}gradio_api/upload", files={"files": ("a.png", content)}).status_code == 200


def test_a_large_file_is_refused_in_the_function_too(tmp_path):
    path = tmp_path / "large.png"
    path.write_bytes(b"\0" * (MAX_BYTES + 2**20))
    with pytest.raises(ValueError, match=f"^the picture has more than {MAX_BYTES // 2**20} MB"):
        replies.opened(str(path))


def test_a_picture_that_was_deleted_meanwhile_is_asked_for_again(tmp_path):
    with pytest.raises(ValueError, match="no longer here: add it again"):
        replies.opened(str(tmp_path / "gone.png"))


# --- the page ---


def test_only_reading_is_offered_to_programs(client):
    assert set(client.view_api(return_format="dict")["named_endpoints"]) == {"/read"}


def test_the_page_forbids_the_browser_every_other_host(url, page):
    answer = httpx.get(url)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy.split("frame-ancestors")[0]  # who may frame it says nothing of whom it may ask
    assert answer.headers["referrer-policy"] == "no-referrer"
    for host in ("googleapis", "gstatic", "cdnjs", "jsdelivr", "unpkg", "amazonaws"):
        assert host not in answer.text
        assert host not in httpx.get(f"{url}theme.css").text
    for closed in ("monitoring", "docs", "redoc", "gradio_api/runs"):
        assert httpx.get(f"{url}{closed}").status_code in (403, 404, 405), closed
    assert page.config["analytics_enabled"] is False
    assert page._queue.max_size == pages.WAITING


@pytest.fixture(scope="module")
def shown() -> replies.Answers:
    """What the page answers, without the page."""
    return replies.Answers(replies.choices_of(None))


def test_the_answer_what_if_and_what_mattered(shown, photos):
    photo, name = str(photos["sarcasm"]), replies.SHIPPED
    assert "disagree" in shown.answer("What a glorious burger!", photo, name)
    mattered = shown.mattered("What a glorious burger!", photo, name)
    assert "the text alone says positive" in mattered
    assert "speaks most for negative" in mattered
    burger = str(photos["the burger"])
    swapped = shown.whatif("What a glorious burger!", photo, name, "", burger)
    assert "moves from negative to positive" in swapped
    assert "with the other picture" in swapped
    both = shown.whatif("What a glorious burger!", photo, name, "This burger is vile.", burger)
    assert "with the other text" in both
    assert "with both" in both
    assert both.count("The answer") == 3
    assert "Give another text" in shown.whatif("What a glorious burger!", photo, name, " ", None)


def test_a_side_alone_is_read_too(shown, photos):
    photo, name = str(photos["sarcasm"]), replies.SHIPPED
    assert "That is the picture alone: add a text" in shown.answer(" ", photo, name)
    assert "That is the text alone: add a picture" in shown.answer("What a glorious burger!", None, name)
    assert "Write a text" in shown.answer("", None, name)
    for ask in (shown.mattered, lambda *post: shown.whatif(*post, "other", None)):
        assert "alert" not in ask("", photo, name)


def test_everything_that_is_wrong_is_said_at_once(shown, tmp_path, photos):
    (tmp_path / "bad.png").write_text("no picture")
    said = shown.answer("a" * (MAX_TEXT + 1), str(tmp_path / "bad.png"), replies.SHIPPED)
    assert "2,001 characters" in said
    assert "cannot be read as a picture" in said
    assert "cannot be read" in shown.answer("", str(tmp_path / "bad.png"), replies.SHIPPED)
    assert "cannot be read" in shown.whatif("good", str(photos["sarcasm"]), replies.SHIPPED, "",
                                            str(tmp_path / "bad.png"))


def test_what_is_not_known_is_said_and_the_answer_is_not_bold(shown, photos):
    said = shown.answer("好吃", str(photos["the burger"]), replies.SHIPPED)
    assert "knows no word of the text" in said
    assert "font-size:1.3em;font-weight:600" not in said


def test_a_picture_is_explained_once_however_much_is_typed(shown, photos, monkeypatch):
    shown.mattered("What a glorious burger!", str(photos["sarcasm"]), replies.SHIPPED)
    monkeypatch.setattr(replies, "explain_picture", lambda *given: pytest.fail("again"))
    shown.mattered("What a glorious", str(photos["sarcasm"]), replies.SHIPPED)


def test_what_was_kept_of_a_picture_goes_with_its_file(tmp_path, photos):
    answers = replies.Answers(replies.choices_of(None))
    path = tmp_path / "own.png"
    path.write_bytes(photos["the burger"].read_bytes())
    assert "positive" in answers.answer("good", str(path), replies.SHIPPED)
    path.unlink()
    assert "no longer here" in answers.answer("good", str(path), replies.SHIPPED)
    assert answers._opened.cache_info().currsize == 0


def test_each_answer_carries_the_stamp_of_its_question(shown, photos):
    said = pages.stamped(shown.answer)('<"7">', "good", str(photos["the burger"]), replies.SHIPPED)
    assert 'data-stamp="&lt;&quot;7&quot;&gt;"' in said


def test_another_pair_is_aligned_when_it_is_chosen(monkeypatch, photos):
    monkeypatch.setattr(replies, "quick_align", lambda text, image, size, posts: (load_model(), 0.876))
    answers = replies.Answers(replies.choices_of(None))
    (name,) = (name for name in answers.choices if name.startswith("BERT + ResNet-18, mini"))
    post = "This burger is delicious!", str(photos["the burger"]), name
    assert "choose another" in answers.answer(*post)
    answers.choose(name)
    assert "88% of 750 validation posts" in answers.about(name)
    assert "positive" in answers.answer(*post)
    answers.choices[name] = lambda: pytest.fail("it is kept")
    answers.choose(name)


def test_while_a_model_is_made_ready_one_can_go_on_and_take_another(photos):
    """Its wait is said, no old answer and no reproach; what is there already answers as ever."""
    go, name, post = threading.Event(), "slow", ("This burger is delicious!", str(photos["the burger"]))
    answers = replies.Answers(replies.choices_of(None))

    def slow() -> tuple[Reader, str]:
        assert go.wait(60)
        return answers.loaded[replies.SHIPPED]

    answers.choices[name] = slow
    chosen = threading.Thread(target=answers.choose, args=(name,))
    chosen.start()
    try:
        while name not in answers.coming:
            chosen.join(0.01)
        said = answers.answer(*post, name)
        assert "Go on writing" in said
        assert "alert" not in said
        assert "some fifteen seconds" in answers.about(name)
        assert "positive" in answers.answer(*post, replies.SHIPPED)
    finally:
        go.set()
        chosen.join()
    assert "positive" in answers.answer(*post, name)
    assert not answers.coming


def test_a_full_size_that_cannot_be_had_is_a_friendly_note(shown, monkeypatch, capfd):
    def unavailable(*rest):
        raise EncoderUnavailable("the pretrained weights of 'bert' cannot be loaded: /root/.cache")

    monkeypatch.setattr(replies, "quick_align", unavailable)
    (name,) = (name for name in replies.choices_of(None) if name.startswith("BERT + ResNet-18, full"))
    shown.choose(name)
    said = shown.about(name)
    assert "cannot be had here" in said
    assert "choose another" in shown.answer("good", None, name)
    assert "/root" not in said
    assert "/root/.cache" in capfd.readouterr().err  # for whoever serves the page


def test_a_model_of_ones_own_comes_first(tmp_path):
    load_model().save_pretrained(tmp_path / "secret")
    page = pages.build(tmp_path / "secret")
    assert f"value': '{replies.OWN}'" in str(page.get_config_file())
    assert "secret" not in str(page.get_config_file())


def test_a_model_with_classes_of_its_own_is_served(tmp_path, photos):
    MultimodalSentimentModel(classes=("sad", "glad"), frozen=True).save_pretrained(tmp_path)
    answers = replies.Answers(replies.choices_of(tmp_path))
    said = answers.answer("good", str(photos["the burger"]), replies.OWN)
    assert "sad" in said
    assert "glad" in said


# --- who may come in ---


@pytest.mark.parametrize("name", ["evil.example", "127.0.0.1.evil.example", "192.168.1.4:7860"])
def test_a_page_for_this_machine_answers_to_no_other_name(url, name):
    assert httpx.get(url, headers={"host": name}).status_code == 400
    assert httpx.post(f"{url}gradio_api/upload", headers={"host": name}, files={"files": b"a"}).status_code == 400


@pytest.mark.parametrize("name", ["localhost", "localhost:7860", "127.0.0.1"])
def test_it_answers_to_the_names_of_this_machine(url, name):
    assert httpx.get(url, headers={"host": name}).status_code == 200


def test_a_foreign_page_may_not_read_along(url):
    answer = httpx.get(f"{url}config", headers={"origin": "https://evil.example"})
    assert answer.headers.get("access-control-allow-origin") != "https://evil.example"


def test_pages_of_this_machine_may_frame_it_and_others_not(url, monkeypatch):
    def ancestors() -> str:
        return dashboard.policy().split("frame-ancestors ")[1]

    assert "frame-ancestors 'self' http://localhost:* http://127.0.0.1:*" in httpx.get(
        url).headers["content-security-policy"]
    assert "google" not in ancestors()
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release")
    assert "google" in ancestors()


@pytest.mark.parametrize(("host", "home"), [
    ("127.0.0.1", True), ("127.0.0.2", True), ("localhost", True), ("::1", True), ("[::1]", True), ("0.0.0.0", False),
    ("::", False), ("192.168.1.4", False), ("my-machine", False), ("localhost.evil.example", False), ("", False)])
def test_what_is_home(host, home):
    assert dashboard.is_loopback(host) == home


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "my-machine", ""])
def test_away_from_home_a_name_and_a_password_are_demanded(capfd, monkeypatch, page, host):
    monkeypatch.delenv("MMSA_PASSWORD", raising=False)
    monkeypatch.setattr(pages, "build", lambda *rest: pytest.fail("nothing may be served"))
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert "lets other machines see the page: it needs --user" in failed(capfd, "--host", host)
    assert "there is no password" in failed(capfd, "--host", host, "--user", "me")
    for options in ({}, {"user": "me"}, {"password": "secret"}):
        with pytest.raises(ValueError, match="--user NAME and a password"):
            dashboard.launch(page, host=host, **options)


def test_at_another_address_every_visitor_is_asked(monkeypatch):
    """Another name of this machine's own stands in for an address that others can reach."""
    monkeypatch.setattr(dashboard, "is_loopback", lambda host: host == "127.0.0.1")
    page = pages.build()
    url = dashboard.launch(page, host="localhost", user="me", password="secret")
    try:
        assert "localhost" in url
        assert httpx.get(url, headers={"host": "my-machine"}).status_code == 200  # whatever others call it
        with pytest.raises(Exception, match=r"401|[Ll]ogin|auth"):
            visitor_of(url)
        assert "/read" in visitor_of(url, auth=("me", "secret")).view_api(return_format="dict")["named_endpoints"]
    finally:
        page.close(verbose=False)


def test_an_address_that_is_not_this_machines_is_said(page):
    with pytest.raises(OSError, match="this machine has no such address"):
        dashboard.launch(page, host="203.0.113.7", user="me", password="secret")


# --- the command line ---


def failed(capfd, *words: str) -> str:
    assert main(["dashboard", *words]) == 1
    said = capfd.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    return said.err


def test_sharing_demands_a_name_and_a_password(capfd, monkeypatch):
    monkeypatch.delenv("MMSA_PASSWORD", raising=False)
    monkeypatch.setattr(pages, "build", lambda *rest: pytest.fail("nothing may be served"))
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    nameless = failed(capfd, "--share")
    assert "warning: whoever has the address" in nameless
    assert "error: --share puts the page on the public internet: it needs --user NAME" in nameless
    assert "error: there is no password: set the environment variable MMSA_PASSWORD" in failed(
        capfd, "--share", "--user", "me")
    monkeypatch.setenv("MMSA_PASSWORD", "secret")
    assert "it needs --user" in failed(capfd, "--share")


def test_launch_refuses_to_share_without_them_too(page):
    for options in ({}, {"user": "me"}, {"password": "secret"}):
        with pytest.raises(ValueError, match="--user NAME and a password"):
            dashboard.launch(page, share=True, **options)


@pytest.fixture
def started(monkeypatch) -> dict:
    """What `launch` was asked for."""
    seen: dict = {}
    monkeypatch.setattr(pages, "build", lambda folder: "page")
    monkeypatch.setattr(dashboard, "launch", lambda page, port, **options: seen.update(options, port=port))
    return seen


def test_the_password_reaches_the_page(monkeypatch, started):
    monkeypatch.setenv("MMSA_PASSWORD", "secret")
    assert main(["dashboard", "--share", "--user", "me", "--port", "7777"]) == 0
    assert started == {"host": "127.0.0.1", "share": True, "user": "me", "password": "secret", "open_browser": False,
                       "block": True, "port": 7777}


def test_words_while_it_starts_and_a_browser_that_opens(started, capfd):
    assert main(["dashboard", "--open"]) == 0
    assert "about ten seconds" in capfd.readouterr().err
    assert started["open_browser"]


def test_the_browser_is_opened_at_the_page(monkeypatch):
    opened = []
    monkeypatch.setattr(dashboard.webbrowser, "open", opened.append)
    page = pages.build()
    try:
        assert opened == [dashboard.launch(page, open_browser=True)]
    finally:
        page.close(verbose=False)


def test_a_name_without_sharing_guards_the_page():
    page = pages.build()
    url = dashboard.launch(page, user="me", password="secret")
    try:
        with pytest.raises(Exception, match=r"401|[Ll]ogin|auth"):
            visitor_of(url)
        own = visitor_of(url, auth=("me", "secret"))
        assert "/read" in own.view_api(return_format="dict")["named_endpoints"]
    finally:
        page.close(verbose=False)


@pytest.mark.parametrize("words", [["--model", "nowhere"], ["--port", "70000"]])
def test_what_cannot_be_served_is_said(capfd, words):
    assert "error: " in failed(capfd, *words)


def test_a_taken_port_is_said(capfd, url):
    assert "error: " in failed(capfd, "--port", url.rstrip("/").rsplit(":", 1)[1])


def test_without_gradio_the_remedy_is_named(capfd, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert 'pip install "mmsa-utils[dashboard]"' in failed(capfd)
