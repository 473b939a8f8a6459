"""The board as people meet it: the same numbers as the API, in both languages, with nothing from elsewhere."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser

from api.board.texts import TEXTS
from api.services.loading import LoadingStatus
from tests.boards import STAGES, Board, serve_story, to_message
from tests.browser import Visit, open_browser, visit

HOSTILE_NAME = """</text><script>alert("1")</script>'&"""
STAGE_FIELDS = (
    *("entered", "reached", "furthest_here", "skipped", "out_of_order"),
    *("conversion_rate", "step_conversion_rate", "median_time_from_previous_s"),
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    with serve_story(tmp_path_factory.mktemp("board"), STAGES) as served:
        yield served


@pytest.fixture(scope="module")
def seen(board: Board, browser: Browser) -> Iterator[Visit]:
    """The page in English on a wide screen, for all who only look."""
    with visit(browser, board.url) as visited:
        yield visited


def read_path(seen: Visit, table: str) -> list[dict[str, Any]]:
    """The rows of a sales path's table, as the API writes them."""
    rows = []
    for position, name in enumerate(seen.attributes(f"[data-table={table}] tbody tr", "data-stage"), start=1):
        row = f"[data-table={table}] tbody tr:nth-child({position})"
        cells = dict(
            zip(seen.attributes(f"{row} td", "data-field"), seen.attributes(f"{row} td", "data-value"), strict=True)
        )
        rows.append({"stage_name": name, **{field: json.loads(cells[field] or "null") for field in STAGE_FIELDS}})
    return rows


def read_retention(seen: Visit) -> list[dict[str, Any]]:
    """The rows of the retention table, as the API writes them."""
    rows: list[dict[str, Any]] = []
    for position, cohort_date in enumerate(seen.attributes("[data-table=retention] tbody tr", "data-cohort"), start=1):
        row = f"[data-table=retention] tbody tr:nth-child({position})"
        (size,) = seen.attributes(f"{row} [data-field=cohort_size]", "data-value")
        counts = seen.attributes(f"{row} [data-field=retained]", "data-count")
        rates = seen.attributes(f"{row} [data-field=retained]", "data-rate")
        rows.extend(
            {
                "cohort_start": f"{cohort_date}T00:00:00",
                "cohort_size": int(size or "0"),
                "period_index": index,
                "retained_count": int(count or ""),
                "retention_rate": json.loads(rate or "null"),
            }
            for index, (count, rate) in enumerate(zip(counts, rates, strict=True))
        )
    return rows


@pytest.mark.parametrize("by", ["person", "account"])
def test_the_sales_path_on_the_page_is_the_api_s(board: Board, seen: Visit, by: str) -> None:
    table = f"{by}s"

    answer = board.ask("sales-path", {"by": by})

    assert read_path(seen, table) == [
        {key: value for key, value in stage.items() if key != "stage_index"} for stage in answer["rows"]
    ]
    assert seen.attributes(f"#{table} .total", "data-value") == [str(answer["rows"][0]["reached"])]
    assert seen.page.locator(f"#{table} [data-sql]").all_text_contents() == [each["sql"] for each in answer["sql"]]


def test_retention_on_the_page_is_the_api_s(board: Board, seen: Visit) -> None:
    answer = board.ask("retention", {"interval": "week", "periods": 8, "mode": "first_time"})

    read = read_retention(seen)
    assert read == [{name: row[name] for name in read[0]} for row in answer["rows"]]
    assert seen.page.locator("#retention [data-sql]").all_text_contents() == [each["sql"] for each in answer["sql"]]


def test_people_read_the_numbers_in_their_own_form(seen: Visit) -> None:
    assert seen.texts(".facts dd") == ["30 Jun 2026 12:30", "Asia/Shanghai", "9"]
    # Ann tried after 3 d 4 h, Di after 45 seconds; Bo skipped the trial.
    rows = [f"[data-table=persons] tbody tr:nth-child({row}) :is(th, td)" for row in (1, 2)]
    assert seen.texts(rows[0]) == ["Reach", "4", "–", "100 %", "–", "4", "1", "0", "0"]
    assert seen.texts(rows[1]) == ["Trial", "3", "75.0 %", "75.0 %", "1 d 14 h", "2", "1", "1", "0"]
    words = " | ".join(seen.texts("#persons svg text"))
    assert words == "Reach | 4 | Trial | 75.0 % · 1 d 14 h | 3 | Pay | 66.7 % · 6 d | 2"
    # Of Ann, Bo and Cy, who came in the first week, two were back in the second and one in the fourth.
    first_row = seen.texts("[data-table=retention] tbody tr:nth-child(1) :is(th, td)")
    assert first_row[:6] == ["1 Jun 2026", "3", "3 100 %", "2 66.7 %", "0 0 %", "1 33.3 %"]


def test_the_page_is_quiet_and_asks_nobody_else(board: Board, seen: Visit) -> None:
    seen.page.wait_for_load_state("networkidle")

    assert seen.problems == []
    assert {urlsplit(url).netloc for url in seen.requested_urls} == {urlsplit(board.url).netloc}
    assert {urlsplit(url).path for url in seen.requested_urls} == {"/", "/board.css", "/board.svg"}
    assert seen.page.evaluate("getComputedStyle(document.querySelector('.card')).borderRadius") != "0px"


def test_on_a_phone_only_the_tables_scroll_sideways(board: Board, browser: Browser) -> None:
    with visit(browser, f"{board.url}/?lang=zh", width_px=400) as seen:
        assert seen.page.evaluate("document.documentElement.scrollWidth") == 400
        assert seen.page.evaluate("document.querySelector('.scroller').scrollWidth") > 400
        assert seen.problems == []


def test_a_reader_gets_the_language_of_the_browser_and_can_change_it(board: Board, browser: Browser) -> None:
    with visit(browser, board.url, locale="zh-CN") as seen:
        assert seen.page.locator("html").get_attribute("lang") == "zh-CN"
        assert seen.texts("h2") == ["个人销售路径", "账户销售路径", "新用户周留存"]
        assert seen.texts("[data-table=persons] tbody th") == ["触达 reach", "试用 trial", "付费 pay"]
        assert seen.texts("[data-field=median_time_from_previous_s]")[1] == "1 天 14 小时"
        assert seen.texts(".facts dd") == ["2026年6月30日 12:30", "Asia/Shanghai", "9"]

        seen.page.get_by_role("link", name="English").click()

        assert seen.page.locator("html").get_attribute("lang") == "en"
        assert seen.texts("h2") == [TEXTS["en"][part] for part in ("persons", "accounts", "retention")]
        assert seen.problems == []


def test_everything_has_a_name_for_those_who_listen(seen: Visit) -> None:
    for name in ("Sales path of persons", "Sales path of accounts", "Weekly retention of new persons"):
        assert seen.page.get_by_role("region", name=name, exact=True).count() == 1
        assert seen.page.get_by_role("img", name=re.compile(name)).count() == 1
    assert seen.page.get_by_role("table").count() == 3
    assert seen.page.get_by_role("table", name="Sales path of persons, stage by stage").count() == 1
    assert None not in seen.attributes("table th", "scope")


def test_an_empty_warehouse_says_how_to_send_the_first_event(tmp_path: Path, browser: Browser) -> None:
    with serve_story(tmp_path, STAGES, messages=[]) as empty, visit(browser, empty.url) as seen:
        assert seen.texts("h2") == ["Onepath is ready for the first event."]
        (command,) = seen.texts(".command")
        assert command.startswith("curl http://127.0.0.1:8106/events ")
        assert '{"event_name": "Met", "identities": {"$identity_login_id": "u1"}}' in command
        assert seen.page.locator("table").count() == 0
        assert seen.problems == []


def test_where_everything_was_refused_the_page_points_to_the_reasons(tmp_path: Path) -> None:
    with serve_story(tmp_path, STAGES, messages=[{"event_name": "Met"}]) as refused:
        page = httpx.get(refused.url).text

    assert "1 came in and could not be accepted" in page
    assert 'href="/api/v1/projects/default/rejects"' in page


def test_a_hostile_stage_name_stays_a_name(tmp_path: Path, browser: Browser) -> None:
    stages = STAGES.replace('"trial"', f"'''{HOSTILE_NAME}'''")

    with serve_story(tmp_path, stages) as served, visit(browser, served.url) as seen:
        assert seen.attributes("[data-table=persons] tbody tr", "data-stage") == ["reach", HOSTILE_NAME, "pay"]
        assert seen.texts("[data-table=persons] tbody th")[1] == HOSTILE_NAME
        assert seen.page.locator("script").count() == 0
        assert seen.problems == []


def test_what_cannot_be_answered_is_a_sentence_in_its_place(tmp_path: Path) -> None:
    # Too many stages: neither path can be computed; retention can.
    stages = "".join(f'[[stages]]\nname = "stage {n}"\nany_of = [{{ event = "Met" }}]\n' for n in range(31))
    failing = LoadingStatus("failing", "the disk <is> full")

    with serve_story(tmp_path, stages, loading=failing) as served:
        page = httpx.get(served.url).text

    assert page.count("This part has no numbers: A sales path has 1 to 30 stages, not 31") == 2
    assert 'data-table="retention"' in page
    assert "do not grow: the disk &lt;is&gt; full" in page


def test_a_stage_may_name_a_property_that_no_event_has_carried_yet(tmp_path: Path) -> None:
    stages = STAGES.replace(
        'event = "Paid"', 'event = "Paid", where = [{ property = "minutes", op = "gte", value = 20 }]'
    )
    with serve_story(tmp_path, stages) as served:
        page = httpx.get(served.url).text
        paths = httpx.post(f"{served.url}/api/v1/projects/default/sales-path", json={}).json()
    assert "This part has no numbers" not in page
    assert [stage["entered"] for stage in paths["rows"]][-1] == 0


def test_without_an_account_the_page_says_what_makes_one(tmp_path: Path) -> None:
    with serve_story(tmp_path, STAGES, messages=[to_message("cy", "Met", "2026-06-03T01:00:00Z", None)]) as served:
        page = httpx.get(served.url, headers={"accept-language": "zh"}).text

    assert "事件带上 account_id 即归入该账户" in page


def test_the_page_forbids_the_browser_everything_it_does_not_need(board: Board) -> None:
    headers = httpx.get(board.url).headers

    assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'; img-src 'self'")
    assert headers["cache-control"] == "no-store"
    assert "/board.css" not in httpx.get(f"{board.url}/openapi.json").json()["paths"]
