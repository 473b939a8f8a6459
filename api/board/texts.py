"""What the board says, in each language it speaks, and how a reader's language is chosen."""

from collections.abc import Mapping
from typing import Literal

Language = Literal["en", "zh"]
DEFAULT_LANGUAGE: Language = "en"

TEXTS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "title": "{project} · Onepath",
        "html_lang": "en",
        "skip_link": "Skip to the numbers",
        "other_language": "中文",
        "other_language_code": "zh",
        "other_language_tag": "zh-CN",
        "api_docs": "API",
        "data_as_of": "Data as of",
        "timezone": "Time zone",
        "events": "Events",
        "refused": "Refused",
        "loading_problem": "Loading new events fails at the moment, so these numbers do not grow: {problem}",
        "unanswered": "This part has no numbers: {reason}",
        "persons": "Sales path of persons",
        "accounts": "Sales path of accounts",
        "persons_lead": "How far each person came, from the first contact to the referral.",
        "accounts_lead": "The same path walked by a school or a company, whoever of its people took the step.",
        "persons_count": "{count} on the path",
        "accounts_count": "{count} on the path",
        "no_persons": "Nobody has entered a stage yet. The stages and their events are set in onepath.toml.",
        "no_accounts": "No account has entered a stage yet. An event belongs to one when it carries account_id.",
        "path_picture": "One bar for each stage, as long as the share of all on the path that reached it.",
        "path_caption_persons": "Sales path of persons, stage by stage",
        "path_caption_accounts": "Sales path of accounts, stage by stage",
        "stage": "Stage",
        "entered": "Entered",
        "reached": "Reached",
        "furthest_here": "Furthest here",
        "skipped": "Skipped",
        "out_of_order": "Out of order",
        "conversion_rate": "Of the first",
        "step_conversion_rate": "Of the one before",
        "median_time": "Median time",
        "means": "What the columns mean",
        "entered_means": "was in this stage at some time",
        "reached_means": "the furthest stage is this one or a later one",
        "furthest_here_means": "the furthest stage is exactly this one",
        "skipped_means": "came further without ever entering this stage",
        "out_of_order_means": "entered it before some earlier stage",
        "conversion_rate_means": "reached, as a share of those who reached the first stage",
        "step_conversion_rate_means": "reached, as a share of those who reached the stage before",
        "median_time_means": "from entering the stage before to entering this one; half take longer",
        "legend_entered": "entered the stage",
        "legend_skipped": "skipped it and came further",
        "retention": "Weekly retention of new persons",
        "retention_lead": "Of those whose first event was in a week, how many came back one, two, three weeks later.",
        "retention_picture": "One row for each week of first events, one column for each week after it; the darker, "
        "the larger the share that came back.",
        "retention_caption": "Persons who came back, and their share",
        "retention_cut": "The newest {shown} of {all} weeks; the API gives all of them.",
        "retention_legend": "Percent who came back; dashed is a week that is not over",
        "cohort": "First week",
        "cohort_size": "New",
        "week_after": "+{number}",
        "week_after_long": "week {number} after the first",
        "sql": "SQL behind these numbers",
        "sql_note": "It runs as it is on the public views and gives exactly these numbers, data watermark {watermark}.",
        "empty_title": "Onepath is ready for the first event.",
        "empty_lead": "Send it from a terminal, then reload this page:",
        "empty_sdk": "An SDK that is already in your app can do the same: point its server address at {collector}.",
        "empty_refused": "{count} came in and could not be accepted. The list of what was refused says why.",
        "refused_list": "What was refused, and why",
        "percent": "{number} %",
        "days": "{number} d",
        "hours": "{number} h",
        "minutes": "{number} min",
        "seconds": "{number} s",
        "day": "{day} {month} {year}",
        "short_day": "{day} {month}",
        "months": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
        "scrollable": "table, scrolls sideways",
    },
    "zh": {
        "title": "{project} · Onepath",
        "html_lang": "zh-CN",
        "skip_link": "跳到数据",
        "other_language": "English",
        "other_language_code": "en",
        "other_language_tag": "en",
        "api_docs": "API",
        "data_as_of": "数据截至",
        "timezone": "时区",
        "events": "事件",
        "refused": "拒收",
        "loading_problem": "新事件暂时无法载入，以下数字不会增加：{problem}",
        "unanswered": "此处暂无数据：{reason}",
        "persons": "个人销售路径",
        "accounts": "账户销售路径",
        "persons_lead": "从第一次触达到转介绍，每个人走到了哪一步。",
        "accounts_lead": "以学校或公司为单位走同一条路径，不论由其中哪一位完成。",
        "persons_count": "路径上共 {count} 人",
        "accounts_count": "路径上共 {count} 个账户",
        "no_persons": "还没有人进入任何阶段。阶段及其事件在 onepath.toml 中设置。",
        "no_accounts": "还没有账户进入任何阶段。事件带上 account_id 即归入该账户。",
        "path_picture": "每个阶段一根横条，长度为到达该阶段者占路径总数的比例。",
        "path_caption_persons": "个人销售路径各阶段数据",
        "path_caption_accounts": "账户销售路径各阶段数据",
        "stage": "阶段",
        "entered": "进入",
        "reached": "到达",
        "furthest_here": "止步于此",
        "skipped": "跳过",
        "out_of_order": "次序颠倒",
        "conversion_rate": "占首阶段",
        "step_conversion_rate": "占上阶段",
        "median_time": "用时中位数",
        "means": "各列含义",
        "entered_means": "曾进入该阶段",
        "reached_means": "最远到达该阶段或其后的阶段",
        "furthest_here_means": "最远恰好到达该阶段",
        "skipped_means": "从未进入该阶段，但走到了更远的阶段",
        "out_of_order_means": "先于某个更早的阶段进入该阶段",
        "conversion_rate_means": "到达数占首阶段到达数的比例",
        "step_conversion_rate_means": "到达数占上一阶段到达数的比例",
        "median_time_means": "从进入上一阶段到进入该阶段；半数用时更长",
        "legend_entered": "进入过该阶段",
        "legend_skipped": "跳过该阶段并走得更远",
        "retention": "新用户周留存",
        "retention_lead": "在某一周产生首个事件的人，之后第一周、第二周、第三周……有多少人回来。",
        "retention_picture": "每行是首个事件所在的周，每列是其后第几周；颜色越深，回来的比例越高。",
        "retention_caption": "回来的人数及其比例",
        "retention_cut": "此处为最近 {shown} 周，共 {all} 周；全部数据见 API。",
        "retention_legend": "回来者所占百分比；虚线为尚未结束的一周",
        "cohort": "首周",
        "cohort_size": "新用户",
        "week_after": "+{number}",
        "week_after_long": "{number} 周后",
        "sql": "这些数字背后的 SQL",
        "sql_note": "可直接在公开视图上运行，得到完全相同的数字；数据水位 {watermark}。",
        "empty_title": "Onepath 已就绪，等待第一个事件。",
        "empty_lead": "在终端发送一个事件，然后刷新本页：",
        "empty_sdk": "应用中已有的 SDK 同样可用：把它的服务器地址指向 {collector} 即可。",
        "empty_refused": "已收到 {count} 条，但均未能接受。拒收清单说明了原因。",
        "refused_list": "拒收清单及原因",
        "percent": "{number}%",
        "days": "{number} 天",
        "hours": "{number} 小时",
        "minutes": "{number} 分钟",
        "seconds": "{number} 秒",
        "day": "{year}年{month}月{day}日",
        "short_day": "{month}月{day}日",
        "months": "1 2 3 4 5 6 7 8 9 10 11 12",
        "scrollable": "表格，可左右滚动",
    },
}

STAGE_LABELS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "reach": "Reach",
        "trial": "Trial",
        "sign": "Sign",
        "project_setup": "Project setup",
        "pay": "Pay",
        "routine_use": "Routine use",
        "refer": "Refer",
    },
    "zh": {
        "reach": "触达",
        "trial": "试用",
        "sign": "签约",
        "project_setup": "立项",
        "pay": "付费",
        "routine_use": "常态使用",
        "refer": "转介绍",
    },
}


def stage_label(name: str, language: Language) -> str:
    """The configured name in the reader's language where it is a known one, else as configured."""
    return STAGE_LABELS[language].get(name, name)


def choose_language(wanted: str | None, accept_language: str) -> Language:
    """The language asked for by name, else the one the browser likes best, else English."""
    for code in (wanted or "", *_by_preference(accept_language)):
        for language in TEXTS:
            if code.partition("-")[0] == language:
                return language
    return DEFAULT_LANGUAGE


def _by_preference(accept_language: str) -> list[str]:
    # RFC 9110, 12.5.4: `zh-CN,zh;q=0.9,en;q=0.8`; a weight of 0 means "not this one".
    weighted: list[tuple[float, str]] = []
    for item in accept_language.lower().split(","):
        code, _, weight = item.partition(";q=")
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            quality = 0.0
        if quality > 0:
            weighted.append((quality, code.strip()))
    return [code for _, code in sorted(weighted, key=lambda each: -each[0])]
