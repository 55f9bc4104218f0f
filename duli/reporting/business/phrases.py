"""What the business report and the portfolio say, each phrase in English and in Chinese, side by
side: a pair cannot lack one of the two.

{names in braces} are places that the template fills, mostly with numbers; {usd} is always the
currency.
"""

_P10 = (
    '<abbr title="One draw in ten lies below P10, half below P50, one in ten above P90">{}</abbr>'
)
_P10_ZH = '<abbr title="一成的模拟低于 P10，一半低于 P50，一成高于 P90">{}</abbr>'

PHRASES = {
    # words
    "none": ("none", "无"),
    "because": ("No number for “{what}”: {reason}.", "“{what}”无数值：{reason}。"),
    "because_end": (
        "“{what}” has no number at one end of its range: {reason}.",
        "“{what}”的区间有一端无数值：{reason}。",
    ),
    "to": ("{low} to {high}", "{low} 至 {high}"),
    "no_volume": ("{low} to no volume at all", "{low} 至任何销量都不够"),
    "yes": ("yes", "是"),
    "no": ("no", "否"),
    "unknown": ("not known", "未知"),
    "comma": (", ", "、"),
    "colon": (": ", "："),
    "stop": (". ", "。"),
    "space": (" ", ""),
    # the head of the page
    "page_title": ("{name} {version}: {verdict}", "{name} {version}：{verdict}"),
    "release": ("release", "发布"),
    "hold": ("hold", "暂缓"),
    "report": ("Business report", "商业报告"),
    "facts_as_of": ("market facts as of {day}", "市场数据截至 {day}"),
    "release_to": (
        (
            '<strong class="release">Release</strong> to {segment} at {price} {usd} per thousand'
            " answers:"
        ),
        '<strong class="release">发布</strong>：面向{segment}，每千次 {price} {usd}。',
    ),
    "release_to_nobody": (
        (
            '<strong class="release">Release</strong> at {price} {usd} per thousand answers, though'
            " by these numbers no customer can be won:"
        ),
        '<strong class="release">发布</strong>：每千次 {price} {usd}，但按这些数字无法获得任何客户。',
    ),
    "hold_because": (
        (
            '<strong class="hold">Hold:</strong> {refused} of {gates} gates refused ({names}). At'
            " {price} {usd} per thousand answers"
        ),
        (
            '<strong class="hold">暂缓</strong>：{gates} 道关卡中有 {refused} 道未通过（{names}）。'
            "按每千次 {price} {usd} 计，"
        ),
    ),
    "costs_and_pays": (
        (
            "a million cost {cost} {usd} to serve, and the plan pays back with interest in {sure}"
            " of the draws."
        ),
        "每百万次的单位成本为 {cost} {usd}；在 {sure} 的模拟情景中，计划能连本带息收回投资。",
    ),
    "no_break_even": (
        "No volume breaks even, because the price does not cover what comes with every answer.",
        "价格低于每次调用的变动成本，任何销量都无法盈亏平衡。",
    ),
    "break_even_volume": (
        "The machines are paid from {serving} answers a month on",
        "每月 {serving} 次起即可覆盖机器成本",
    ),
    "break_even_team_volume": (
        ", the team too from {team}.",
        "，{team} 次起连同团队成本一并覆盖。",
    ),
    "illustrates": (
        (
            "<strong>The market numbers of this page illustrate the method.</strong> They are no"
            " demand for this model: nobody has been asked what they would pay."
        ),
        (
            "<strong>本页的市场数据仅用于演示方法</strong>，"
            "不代表对该模型的真实需求：尚未向任何人询问过付费意愿。"
        ),
    ),
    "unsigned": (
        (
            "<strong>This release is not signed.</strong> Nobody can tell its wheel from a forged"
            " one; do not hand it to a customer."
        ),
        "<strong>本发布件未签名。</strong>无人能分辨安装包的真伪，不要交付给客户。",
    ),
    # the figures of the first screen
    "cost_to_serve": ("Cost to serve", "单位成本"),
    "per_million": ("{usd} per million", "{usd}／百万次"),
    "worst_and_best": (
        "{range}, all inputs at their best and worst",
        "{range}，所有输入同取最好或最坏",
    ),
    "planned_price": ("Price", "价格"),
    "margin_of": ("gross margin {margin}", "毛利率 {margin}"),
    "price_to_break_even": ("Break-even price", "盈亏平衡价格"),
    "with_team_at": (
        "the team paid, at {volume} answers a month; NPV zero from {zero}",
        "含团队，月调用量 {volume}；净现值为零需 {zero}",
    ),
    "with_team_never": (
        "the team paid, at {volume} answers a month; no price makes the NPV zero",
        "含团队，月调用量 {volume}；任何价格都不能使净现值为零",
    ),
    "npv": ("Net present value", "净现值（NPV）"),
    "npv_middle": (
        "middle of {draws} draws over {months} months; " + _P10.format("P10–P90") + " {range}",
        "{draws} 次模拟的中位数，期限 {months} 个月；" + _P10_ZH.format("P10–P90") + " {range}",
    ),
    "chance": ("Chance that the NPV is positive", "净现值为正的概率"),
    "loss_at_p10": (
        "NPV at " + _P10.format("P10") + ": {npv} {usd}",
        _P10_ZH.format("P10") + " 净现值：{npv} {usd}",
    ),
    "from_assumptions": ("NPV variance from assumptions", "净现值方差来自假设的比例"),
    "of_npv_and_cost": (
        "of the unit cost {share} rests on assumptions",
        "单位成本中 {share} 依赖假设",
    ),
    "three_movers": ("The three assumptions that matter most", "影响最大的三项假设"),
    "three_movers_note": (
        (
            "Share of the NPV's variance, with all an input does together with others (Sobol): find"
            " these out first."
        ),
        "占净现值方差的比例，含与其他输入的交互作用（Sobol 总效应）：应最先查证。",
    ),
    "no_movers": (
        "No assumption has a range, so none matters more than another.",
        "所有假设都没有区间，无法比较影响大小。",
    ),
    "mover_share": ("{name}, {low} to {high}: {share}", "{name}，{low} 至 {high}：{share}"),
    "mover": (
        "{name}, {low} to {high} {unit}: {share}",
        "{name}，{low} 至 {high}（{unit}）：{share}",
    ),
    # scorecard
    "scorecard": ("Scorecard", "记分卡"),
    "measure": ("Measure", "指标"),
    "value": ("Value", "数值"),
    "range": ("Range", "区间"),
    "n": ("n", "样本量"),
    "champion": ("Champion", "冠军版本"),
    "threshold": ("Threshold", "门槛"),
    "basis": ("Basis", "依据"),
    "accuracy": ("Accuracy of the shipped file", "发布文件的准确率"),
    "coverage": ("Coverage", "覆盖率"),
    "coverage_small": (
        "answers at a confidence of at least {threshold}",
        "置信度不低于 {threshold} 的回答",
    ),
    "accuracy_of_accepted": ("Accuracy of the accepted", "采纳结果的准确率"),
    "latency": ("Latency", "延迟"),
    "latency_small": (
        "one example, one thread, median; slowest in twenty to slowest in a hundred",
        "单个样本、单线程，中位数；区间为最慢的二十分之一至百分之一",
    ),
    "ms": ("{value} ms", "{value} 毫秒"),
    "throughput": ("Throughput", "吞吐量"),
    "throughput_small": ("{threads} threads, batches of {batch}", "{threads} 线程，批大小 {batch}"),
    "per_second": ("{value} /s", "{value} 次／秒"),
    "quartiles": ("quartiles {spread} apart", "四分位距 {spread}"),
    "model_size": ("Size of the model", "模型大小"),
    "model_size_small": ("in a wheel of {size}", "安装包 {size}"),
    "unit_cost": ("Unit cost", "单位成本"),
    "gross_margin": ("Gross margin", "毛利率"),
    "p10_p90": (_P10.format("P10–P90"), _P10_ZH.format("P10–P90")),
    "scorecard_note": (
        (
            "Shipped file <code>{file}</code>, measured on <code>{machine}</code> with"
            " <code>{versions}</code>. Ranges of measured shares are Wilson intervals; those of"
            " unit cost and margin put every input at its best and at its worst end at once, which"
            " is no probability; those of NPV, IRR and payback are percentiles of the draws."
        ),
        (
            "发布文件为 <code>{file}</code>，测于 <code>{machine}</code>，软件为"
            " <code>{versions}</code>。实测比例的区间为 Wilson"
            " 置信区间；单位成本与毛利率的区间是所有输入同取最好或最坏值，并非概率；净现值、"
            "内部收益率与回收期的区间为模拟的百分位数。"
        ),
    ),
    "no_champion": (
        "Nothing has been promoted yet, so there is no champion to compare with.",
        "尚未晋升过任何版本，因此没有冠军版本可比。",
    ),
    "champion_is": (
        "The champion is version <code>{version}</code>.",
        "冠军版本为 <code>{version}</code>。",
    ),
    "champion_bare": (
        "The champion carries none of the figures of this page, so they cannot be compared.",
        "冠军版本没有本页的任何指标，无法比较。",
    ),
    # charts of the first page
    "what_it_costs": ("What a million answers cost", "每百万次的成本构成"),
    "most_and_least": (
        "Most goes into {most}, least into {least}.",
        "占比最大的是{most}，最小的是{least}。",
    ),
    "per_accepted": (
        "{usd} per million accepted answers; {rest}",
        "单位：{usd}／百万次采纳结果；{rest}",
    ),
    "rest_review": (
        "a person decides what the model is not sure of.",
        "模型没有把握的部分由人工判定。",
    ),
    "rest_abstain": (
        "the model abstains where it is not sure, and nobody pays for that.",
        "模型没有把握时不作答，也不收费。",
    ),
    "where_price_stands": ("Where the price stands", "价格定位"),
    "where_price_stands_note": (
        "List prices of public services, with their tiers.",
        "公开服务的标价及其阶梯。",
    ),
    "services_do_more": (
        (
            "{usd} per million predictions, list prices. The services take any image or page, so"
            " they do more per unit than this model; sources below."
        ),
        (
            "单位：{usd}／百万次，均为标价。这些服务接受任意图像或整页文档，"
            "单次所做的工作多于本模型；来源见下文。"
        ),
    ),
    # break-even
    "break_even": ("Break-even of the three business models", "三种商业模式的盈亏平衡点"),
    "break_even_lead": (
        (
            "Customers from whom a month pays for itself, with the team that is kept after the"
            " launch; never more than {most} can be won."
        ),
        "按上线后保留的团队计，使当月收支平衡所需的客户；可获得的客户总数为 {most}。",
    ),
    "key_revenue": ("revenue of a month", "月收入"),
    "key_cost": ("cost of a month", "月成本"),
    "subscribers": ("subscribers", "个订阅客户"),
    "licences_per_month": ("licences each month", "份授权／月"),
    "clients": ("clients on a monthly order", "个按月服务的客户"),
    "break_even_note": (
        (
            "Point values; a subscription's revenue is answers times price, a licence's is"
            " {licence} {usd} once, a day of services sells for {day} {usd}. Against them stand"
            " machines, review, errors, support, acquisition (licences) and the days worked."
        ),
        (
            "均为点估计。订阅收入为调用量乘以价格；授权一次性收取 {licence} {usd}；服务每人天售价"
            " {day} {usd}。对应成本为机器、复核、错误、支持、获客（授权）与人天。"
        ),
    ),
    "what_is_paid": ("What has to be paid", "需覆盖的成本"),
    "needed": ("Needed", "所需"),
    "unit": ("Unit", "单位"),
    "machines_on": ("The machines that are always on", "常开的机器"),
    "machines_and_team": ("The machines and the team", "机器与团队"),
    "at_planned_volume": (
        "The machines and the team, at the planned volume",
        "机器与团队，按计划调用量",
    ),
    "answers_a_month": ("answers a month", "次／月"),
    # what would have to be true
    "conditions": ("What would have to be true", "成立条件"),
    "conditions_lead": (
        (
            "The plan just pays (its net present value is nought) where any one of these holds and"
            " all else stays as planned."
        ),
        "其余各项按计划不变时，满足下列任一条，计划恰好保本（净现值为零）。",
    ),
    "condition": ("Condition", "条件"),
    "at_least": ("at least {value}", "不低于 {value}"),
    "at_most": ("at most {value}", "不高于 {value}"),
    "today": ("Today", "当前值"),
    "holds": ("Holds today?", "目前是否满足"),
    "no_value_helps": ("No value: {reason}.", "不存在：{reason}。"),
    # the evidence
    "evidence": ("The evidence", "论据"),
    "distribution": ("How the plan may end", "净现值分布"),
    "distribution_note": (
        (
            "{draws} draws of all inputs at once (Latin hypercube); grey does not pay back with"
            " interest. The hundredth at either end is left out."
        ),
        "对所有输入同时抽样 {draws} 次（拉丁超立方）；灰色为净现值为负。两端各百分之一未画出。",
    ),
    "tornado": ("What moves it, one by one", "单因素敏感性（龙卷风图）"),
    "tornado_note": (
        "NPV with one input at its low end (grey) or its high end (colour), all others as planned.",
        "单个输入取下限（灰）或上限（蓝）、其余按计划时的净现值。",
    ),
    "variance": ("Where the uncertainty comes from", "不确定性的来源（Sobol 指数）"),
    "variance_note": (
        (
            "Share of the NPV's variance: alone (colour), and with all it does together with others"
            " (grey)."
        ),
        "占净现值方差的比例：单独作用（蓝）与含交互作用（灰）。",
    ),
    "variance_from": (
        "{share} of the variance comes from assumed inputs.",
        "方差中有 {share} 来自假设的输入。",
    ),
    "no_variance": ("No input has a range, so nothing varies.", "所有输入都没有区间，结果不变动。"),
    "cash": ("Cash by month", "逐月累计现金流"),
    "cash_note": (
        (
            "All that came in less all that went out: as planned (solid), middle of the draws"
            " (dashed), and nine tenths of them above the band's lower end, nine tenths below its"
            " upper."
        ),
        "累计收入减累计支出：按计划（实线）、模拟的中位数（虚线）、"
        + _P10_ZH.format("P10–P90")
        + " 区间（色带）。",
    ),
    "return": ("R&amp;D investment against return", "研发投入与回报"),
    "return_lead": (
        "Over {months} months at {rate} a year, in real {usd} before taxes. The middle of the"
        " draws, with "
        + _P10.format("P10–P90")
        + " below; the mix is {subscription} subscription, {one_time} one-time purchase and"
        " {services} value-added services.",
        "期限 {months} 个月，年折现率 {rate}，不变价、税前，单位{usd}。所列为模拟的中位数，下方为 "
        + _P10_ZH.format("P10–P90")
        + "；计划组合为订阅制 {subscription}、一次性购买 {one_time}、增值服务 {services}。",
    ),
    "npv_mean": ("Net present value, mean", "净现值均值"),
    "chance_row": ("Chance that the NPV is positive", "净现值为正的概率"),
    "as_planned": ("Net present value as planned", "按计划取值的净现值"),
    "sanity": (
        (
            "A rule of thumb asks for revenue of four times what computing costs over a lifetime:"
            " {needed} {usd} here (Sequoia)."
        ),
        "经验法则要求全周期收入达到算力支出的四倍，此处为 {needed} {usd}（红杉资本）。",
    ),
    "customer": ("One subscriber", "单个订阅客户"),
    "no_burn": (
        "The burn multiple is left out: before revenue it has no meaning.",
        "未列烧钱倍数：没有收入之前该指标没有意义。",
    ),
    # market
    "segments": ("Users and what they need", "用户与需求"),
    "segment": ("Segment", "细分市场"),
    "accounts": ("Accounts", "客户数"),
    "volume_month": ("Answers a month each", "户均月调用量"),
    "sam": ("SAM, {usd} a year", "SAM（{usd}／年）"),
    "som": ("SOM, {usd} a year", "SOM（{usd}／年）"),
    "som_accounts": ("Can be won", "可获得客户"),
    "needs_met": ("Needs met", "需求满足度"),
    "enter_first": ("Enter first", "首选进入"),
    "in_all": ("All", "合计"),
    "segments_note": (
        (
            "Counted from below: accounts times answers times the planned price (SAM), and of these"
            " who hears of it and buys (SOM). Needs met is the share, by weight, of a segment's"
            " needs that the rules below say are met. All of it is assumed until somebody asks."
        ),
        (
            "自下而上测算：客户数 × 调用量 × 计划价格（SAM），再乘以触达率与赢单率（SOM）。"
            "需求满足度为下述规则判定已满足的需求权重之和。在实际访谈之前，全部为假设。"
        ),
    ),
    "needs_unknown": ("not known", "未知"),
    "market_size": ("What publishers say of the market", "第三方市场规模"),
    "market_size_note": (
        (
            "First year (dot) to last (ring), billion {usd} a year, with the growth a year that"
            " these two numbers give. Publishers differ from {low} to {high} {usd} for the first"
            " year; none of it enters the cash flow."
        ),
        (
            "起始年（点）至末年（圈），右侧为由两端数值重算的年复合增长率。各机构起始年从 {low} 到"
            " {high} {usd}不等；均不进入现金流。"
        ),
    ),
    "publisher": ("Publisher", "机构"),
    "years": ("Years", "年份"),
    "size_first": ("First, {usd}", "起始（{usd}）"),
    "size_last": ("Last, {usd}", "末年（{usd}）"),
    "growth_stated": ("Growth stated", "声称增长率"),
    "growth_recomputed": ("Recomputed", "重算增长率"),
    "all_publishers": ("What each publisher says, and its source", "各机构的数据与来源"),
    "all_competitors": ("All competitors, and their sources", "全部竞品与来源"),
    "contradicts": ("Contradicts itself", "自相矛盾"),
    "not_stated": ("not stated", "未声明"),
    "source": ("Source", "来源"),
    "adoption": ("How customers come", "客户采用曲线（Bass 模型）"),
    "adoption_note": (
        (
            "Customers of the plan by month after Bass, less those who leave; of {most} that can be"
            " won."
        ),
        "按 Bass 模型逐月增长并扣除流失；可获得的客户共 {most}。",
    ),
    "key_subscribers": ("subscription", "订阅制"),
    "key_owners": ("licence", "一次性购买"),
    "key_clients": ("services", "增值服务"),
    # competitors
    "competitors": ("Competitors", "竞争对手"),
    "competitor": ("Competitor", "竞品"),
    "list_price": ("List price, {usd} per million", "标价（{usd}／百万次）"),
    "on_premise": ("On the customer's machines", "可本地化部署"),
    "open_weights": ("Weights handed over", "交付权重"),
    "latency_column": ("Latency", "延迟"),
    "no_list_price": ("no list price", "无标价"),
    "competitors_note": (
        (
            "{on_premise} of {n} run on the customer's machines, {open_weights} hand over their"
            " weights. Nobody's accuracy was measured on the same data."
        ),
        "{n} 个竞品中，{on_premise} 可本地化部署，{open_weights} 交付权重。均未在同一数据上测过准确率。",
    ),
    "positioning": ("Price and freedom", "价格与部署自由度"),
    "positioning_note": (
        "{usd} per million, list prices, against how freely a customer may run it.",
        "标价（{usd}／百万次）与客户可自由运行的程度。",
    ),
    "language_models": ("The same by a language model", "改用大语言模型"),
    "language_models_note": (
        (
            "What a million answers would cost by the token, at the assumed length of a question"
            " and an answer; whether it would be right as often was not measured."
        ),
        "按假设的提问与回答长度，每百万次按 token 计费的成本；准确率是否相当未作测量。",
    ),
    "language_model": ("Model", "模型"),
    "asked": ("{usd} per million tokens in", "输入（{usd}／百万 token）"),
    "answered": ("{usd} per million tokens out", "输出（{usd}／百万 token）"),
    "per_answers": ("{usd} per million answers", "{usd}／百万次"),
    # strategy and risks
    "strategy": ("Strategy, as the numbers give it", "由数据推导的策略"),
    "strategy_lead": (
        "Each line follows from two numbers by a rule that was written down beforehand.",
        "每条结论都由两个数值按事先写定的规则得出。",
    ),
    "rule": ("Rule", "规则"),
    "rule_holds": ("Holds", "成立"),
    "rule_fails": ("Does not hold", "不成立"),
    "risks": ("Risks", "风险"),
    "risks_lead": (
        "Each tied to a number of this run and its limit, or said to be not measured.",
        "每项都对应本次运行的一个实测值及其限值，否则注明未测量。",
    ),
    "risk": ("Risk", "风险项"),
    "no_high_risk": (
        "No risk that was measured is beyond its limit.",
        "已测量的风险均未超出限值。",
    ),
    "other_risks": ("Risks that are low or were not measured", "等级为低或未测量的风险"),
    "level": ("Level", "等级"),
    "limit": ("Limit", "限值"),
    "why": ("Why", "原因"),
    "legal": ("Legal dates", "法规生效日期"),
    "legal_note": ("From secondary pages; no legal advice.", "来自二手资料，不构成法律意见。"),
    "in_force": (" (in force) ", "（已生效）"),
    "to_come": (" (to come) ", "（尚未生效）"),
    # choices
    "choices": ("What else could ship", "可选的发布文件"),
    "choices_lead": (
        (
            "The same prices, with each file of this run in place of the one that ships, and with"
            " the champion's figures."
        ),
        "相同价格下，分别换用本次运行的各文件以及冠军版本的指标。",
    ),
    "file": ("File", "文件"),
    "ships": ("ships", "本次发布"),
    "errors": ("Errors", "错误损失"),
    "review": ("Human review", "人工复核"),
    "cheapest_threshold": ("The cheapest threshold", "成本最低的置信度阈值"),
    "cheapest_threshold_text": (
        (
            "In use is {used}, at {cost} {usd} per million. On the test split a million cost least"
            " at {best}: {least} {usd}, with {coverage} answered and {accuracy} of these right."
            " Chosen on one half and judged on the other it is {fitted} {usd}, which is what to"
            " expect."
        ),
        (
            "当前阈值为 {used}，成本 {cost} {usd}／百万次。在测试集上成本最低的阈值为"
            " {best}：{least} {usd}，作答 {coverage}，其中 {accuracy} 正确。以一半数据选阈值、"
            "另一半评估，成本为 {fitted} {usd}，应以此为预期。"
        ),
    ),
    "modes_text": (
        (
            "Two ways to treat the rest: {review} {usd} per million if a person decides it,"
            " {abstain} if the model abstains."
        ),
        "对其余部分有两种处理方式：人工判定时 {review} {usd}／百万次，不作答时 {abstain} {usd}。",
    ),
    "modes_review_only": (
        "If a person decides the rest, a million cost {review} {usd}.",
        "其余部分由人工判定时，成本 {review} {usd}／百万次。",
    ),
    "training": ("Training and energy", "训练与能耗"),
    "training_text": ("One training took {seconds} s", "一次训练用时 {seconds} 秒"),
    "training_priced": (
        ", worth {cost} {usd} on the rented machine.",
        "，按租用机器计价为 {cost} {usd}。",
    ),
    "training_unpriced": (
        " on <code>{device}</code>, for which no price is given.",
        "，设备为 <code>{device}</code>，未给出价格。",
    ),
    "energy_text": (
        (
            "Estimated, for no meter was read: {training} kWh and {training_carbon} g of carbon for"
            " the training, {serving} kWh and {serving_carbon} g for a million answers."
        ),
        (
            "未接电表，均为估算：训练耗电 {training} 千瓦时、排放二氧化碳 {training_carbon}"
            " 克；每百万次耗电 {serving} 千瓦时、排放 {serving_carbon} 克。"
        ),
    ),
    "gates": ("Gates", "发布关卡"),
    "gate": ("Gate", "关卡"),
    "least": ("Least", "下限"),
    "most": ("Most", "上限"),
    "p95": (
        '<abbr title="Slowest in twenty">p95</abbr>',
        '<abbr title="最慢的二十分之一">p95</abbr>',
    ),
    "p99": (
        '<abbr title="Slowest in a hundred">p99</abbr>',
        '<abbr title="最慢的百分之一">p99</abbr>',
    ),
    "outcome": ("Outcome", "结果"),
    "passed": ("Passed", "通过"),
    "refused": ("Refused", "未通过"),
    "missing": ("missing", "缺失"),
    "whole_interval": ("all of its interval", "整个置信区间"),
    # what was not measured
    "not_measured": ("What was not measured", "未测量的内容"),
    "not_demand": (
        "Demand: nobody was asked what they would pay, so there is no demand curve here.",
        "需求：未询问任何人的付费意愿，因此没有需求曲线。",
    ),
    "not_machine": (
        (
            "The rented machine <code>{machine}</code>: throughput was measured on the machine"
            " named above and scaled by its hardware threads."
        ),
        "租用机器 <code>{machine}</code>：吞吐量测于上述机器，再按硬件线程数折算。",
    ),
    "not_data": (
        (
            "Your own data: accuracy holds for the public test set <code>{digest}</code>, drawn"
            " like the training data."
        ),
        "您自己的数据：准确率仅对公开测试集 <code>{digest}</code> 成立，其分布与训练数据相同。",
    ),
    "not_network": (
        "The network, and requests that queue: latency is that of the model alone.",
        "网络与排队：延迟仅指模型本身。",
    ),
    "not_energy": ("Energy and carbon: no meter was read.", "能耗与碳排放：未接电表。"),
    # register
    "register": ("Assumption register", "假设登记表"),
    "register_lead": (
        (
            "Every number that unit cost and plan follow from. Of {rows} market facts {assumed} are"
            " assumed, {stale} stale (older than {days} days), {undated} undated, {wide} wide, and"
            " {conflicting} contradict another."
        ),
        (
            "单位成本与计划所依据的全部数值。{rows} 条市场数据中，{assumed} 条为假设，{stale}"
            " 条过期（超过 {days} 天），{undated} 条无日期，{wide} 条区间过宽，{conflicting}"
            " 条互相矛盾。"
        ),
    ),
    "input": ("Input", "输入"),
    "assumed_by_us": ("assumed", "假设"),
    "confidence": ("confidence {grade}", "可信度 {grade}"),
    "seen": ("seen {day}", "查阅于 {day}"),
    "conflicts": ("Facts that contradict each other: {facts}.", "互相矛盾的数据：{facts}。"),
    "public_services": ("Public services", "公开服务"),
    "service": ("Service", "服务"),
    "per_thousand": ("List price per thousand", "每千次标价"),
    "wheel": ("Wheel", "安装包"),
    "wheel_digest": ("SHA of the wheel", "安装包 SHA"),
    "model_digest": ("SHA of the model", "模型 SHA"),
    "test_digest": ("Test data", "测试数据"),
    "other_language": ("中文版：<code>{page}.zh.html</code>", "English: <code>{page}.html</code>"),
    # the portfolio of all release lines
    "portfolio": ("Product portfolio", "产品组合"),
    "portfolio_of": ("release lines: {lines}", "发布线：{lines} 条"),
    "portfolio_decision": (
        "<strong>{released} of {lines}</strong> lines may be released by their gates.",
        "<strong>{lines} 条发布线中有 {released} 条</strong>通过全部关卡，可以发布。",
    ),
    "portfolio_best": (
        "The likeliest to pay is {line}: its plan pays back with interest in {sure} of the draws.",
        "最可能盈利的是“{line}”：在 {sure} 的模拟情景中，其计划能连本带息收回投资。",
    ),
    "portfolio_only": (
        "Its plan pays back with interest in {sure} of the draws.",
        "在 {sure} 的模拟情景中，其计划能连本带息收回投资。",
    ),
    "line_outdated": (
        (
            "<strong>{line}: these numbers are not those of its params as they are now</strong>"
            " ({what}). <code>{fix}</code> builds it anew."
        ),
        (
            "<strong>“{line}”：这些数字与当前参数不符</strong>（{what}）。请运行 <code>{fix}</code>"
            " 重新构建。"
        ),
    ),
    "line_not_built": (
        (
            "<strong>{line} is not built</strong>, so it is missing below. <code>{fix}</code>"
            " builds it."
        ),
        "<strong>“{line}”尚未构建</strong>，因此未列入下文。请运行 <code>{fix}</code> 构建。",
    ),
    "planned_revenue": ("Revenue of all lines", "各线累计收入合计"),
    "over_months": ("as planned, over {months} months", "按计划，期限 {months} 个月"),
    "cash_needed": ("Most cash out at one time", "资金峰值需求合计"),
    "cash_apart": (
        "all lines begun in the same month; each by itself, added up: {apart}",
        "各线同月启动；各线单独峰值相加为 {apart}",
    ),
    "as_planned_and_mean": (
        "all lines as planned, at {rate} a year; mean of the draws {mean}",
        "各线按计划合计，年折现率 {rate}；模拟均值 {mean}",
    ),
    "portfolio_sums": (
        (
            "Plans and means add up however the lines depend on one another. How they do (their"
            " correlation) is not modelled, so there is no range of the sum: the lines’ percentiles"
            " must not be added. Each plan has a team of its own; one team for several lines would"
            " cost less."
        ),
        (
            "无论各线之间如何相关，计划值与均值都可以相加。各线之间的相关性未建模，"
            "因此合计没有区间：各线的分位数不能相加。"
            "每条线的计划各含一支团队；多条线共用团队时费用更低。"
        ),
    ),
    "portfolio_illustrates": (
        (
            "<strong>The market numbers of this page illustrate the method.</strong> They are no"
            " demand for these models: nobody has been asked what they would pay."
        ),
        (
            "<strong>本页的市场数据仅用于演示方法</strong>，"
            "不代表对这些模型的真实需求：尚未向任何人询问过付费意愿。"
        ),
    ),
    "portfolio_unlike": (
        (
            "There are no sums: the lines’ plans differ in horizon or discount rate, so their"
            " amounts cannot be added."
        ),
        "没有合计：各线计划的期限或折现率不同，金额不能相加。",
    ),
    "worth_by_line": ("What the plan of each line is worth", "各线计划的净现值"),
    "worth_note": (
        "Bar: "
        + _P10.format("P10–P90")
        + " of the draws; dot and number: their middle; tick: their mean; dashed: zero.",
        "横条：模拟的 "
        + _P10_ZH.format("P10–P90")
        + " 区间；圆点与数字：中位数；竖线：均值；虚线：零。",
    ),
    "side_by_side": ("Side by side", "逐项对比"),
    "side_by_side_note": (
        "Each line was judged on test data of its own, so accuracies do not compare across lines."
        " Ranges of cost and margin put all inputs at their best and worst at once; revenue, cash"
        " and net present value are middles of the draws, with "
        + _P10.format("P10–P90")
        + " below.",
        "各线在各自的测试数据上评估，准确率不可跨线比较。"
        "成本与毛利率的区间为所有输入同取最好或最坏；收入、资金与净现值为模拟的中位数，下方为 "
        + _P10_ZH.format("P10–P90")
        + "。",
    ),
    "release_column": ("Release", "发布版本"),
    "signed": ("signed", "已签名"),
    "not_signed": ("not signed", "未签名"),
    "place": ("In use?", "是否在用"),
    "no_champion_yet": ("Nothing has been promoted yet.", "尚未晋升过任何版本。"),
    "verdict": ("Verdict", "结论"),
    "outdated": ("not of these params", "与当前参数不符"),
    "gates_passed": ("all {gates} gates passed", "{gates} 道关卡全部通过"),
    "gates_refusing": ("{refused} of {gates} gates refused", "{gates} 道关卡中 {refused} 道未通过"),
    "interval_small": ("with its Wilson interval", "含 Wilson 置信区间"),
    "assumed_cost": ("Unit cost resting on assumptions", "单位成本中来自假设的比例"),
    # charts
    "chart.waterfall": ("Unit cost by cause", "单位成本构成"),
    "chart.unit_cost": ("Unit cost", "单位成本"),
    "chart.price": ("Price", "价格"),
    "chart.per_million": ("{usd} per million answers", "{usd}／百万次"),
    "chart.logarithmic": (", logarithmic", "（对数刻度）"),
    "chart.positions": ("Prices", "价格"),
    "chart.ours": ("This release", "本产品"),
    "chart.break_even": ("Break-even", "盈亏平衡点"),
    "chart.large_a_month": ("thousand {usd} a month", "万{usd}／月"),
    "chart.large": (", thousand {usd}", "（万{usd}）"),
    "chart.npv": ("Net present value", "净现值"),
    "chart.distribution": ("Distribution of the net present value", "净现值分布"),
    "chart.draws": ("draws", "模拟次数"),
    "chart.tornado": ("What moves the net present value most", "对净现值影响最大的输入"),
    "chart.variance": ("share of the NPV's variance", "占净现值方差的比例"),
    "chart.month": ("months after the launch", "上线后月数"),
    "chart.cumulative": ("Cumulative cash", "累计现金流"),
    "chart.cash": ("Cumulative cash at the end", "期末累计现金流"),
    "chart.sizes": ("Growth of the market a year, by publisher", "各机构的市场年增长率"),
    "chart.huge_a_year": ("billion {usd} a year", "亿{usd}／年"),
    "chart.adoption": ("Customers at the end", "期末客户数"),
    "chart.customers": ("customers", "客户数"),
    "chart.subscribers": ("subscribers", "订阅客户"),
    "chart.owners": ("licences", "授权客户"),
    "chart.clients": ("clients of services", "服务客户"),
    "chart.positioning": ("Price against freedom to run it", "价格与部署自由度"),
    "chart.weights": ("Weights handed over", "交付模型权重"),
    "chart.own_machines": ("On the customer's machines", "可本地化部署"),
    "chart.cloud": ("Cloud alone", "仅云服务"),
    "chart.worth": ("Net present value by line", "各线净现值"),
    "chart.no_price": ("(no list price)", "（无标价）"),
}
