"""What the words on the Decide page mean: in plain words first, then exactly (no Qt)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Term:
    """One word: `plain` explains it to anyone, `exact` is the definition."""

    word: str
    plain: str
    exact: str

    @property
    def text(self) -> str:
        """Both, one below the other."""
        return f"{self.plain}\n{self.exact}"


TERMS: dict[str, Term] = {
    "lane": Term(
        "Lane",
        "One way to keep a model alive. All lanes predict the same rows in the same order, and "
        "only then see the labels: a race on one track.",
        "A lane is a learner under a policy. Baselines are lanes too: what any model must beat.",
    ),
    "batch": Term(
        "Batch learning",
        "A printed textbook: written once from all that was known, the same for every reader, and "
        "out of date until a new edition is printed.",
        "The model is fitted on a fixed set of rows and does not change until it is retrained.",
    ),
    "online": Term(
        "Online learning",
        "An encyclopedia that anyone may correct: always up to date, and open to bad corrections.",
        "The model is updated by small steps from each labelled row (or mini-batch), and each row "
        "is seen once.",
    ),
    "out_of_core": Term(
        "Out-of-core learning",
        "A large meal eaten in slices: data that do not fit into memory are taken in pieces.",
        "The training window is read in chunks, in one or more passes, by a learner that can be "
        "trained further; no more than a chunk is in memory at a time.",
    ),
    "static": Term(
        "Static",
        "The first edition is never replaced.",
        "The model that was trained on the training window answers to the end of the stream.",
    ),
    "scheduled": Term(
        "Scheduled",
        "A new edition at fixed dates, whether it is needed or not.",
        "Every so many rows, or every span of event time: collect, merge, retrain offline, test on "
        "held-out rows, and redeploy if the new model is not worse.",
    ),
    "triggered": Term(
        "Triggered",
        "A new edition when an alarm says that the world has changed.",
        "As scheduled, but when its conditions hold: a drift alarm, a risen error, so many rows.",
    ),
    "cost_aware": Term(
        "Cost-aware",
        "A new edition when staying with the old one has become dearer than printing.",
        "Retrains when the expected cost of avoidable errors exceeds the cost of a retrain.",
    ),
    "champion": Term(
        "Champion and challenger",
        "A second player trains beside the first and takes its place once it has proved better.",
        "The challenger predicts the same rows without being used; it takes over when it has been "
        "better by a margin over a window, and a test says that this is not chance.",
    ),
    "error": Term(
        "Error",
        "How often the lane was wrong, or by how much. Smaller is better.",
        "Mean loss over all rows of the stream that were predicted and whose label is known "
        "(test-then-train): the share of wrong answers, or the mean absolute error for numbers. "
        "± is half of its 95 % interval, by a moving-block bootstrap.",
    ),
    "against": Term(
        "Difference to the recommended lane",
        "How much more it errs than the recommended lane, on the same rows. When the bar touches "
        "the line, the difference may be chance.",
        "Mean of the paired differences of losses with its 95 % interval (moving-block bootstrap, "
        "because neighbouring rows resemble each other). A hollow dot: not beyond chance once "
        "Holm's correction is made.",
    ),
    "dm": Term(
        "Diebold-Mariano test",
        "How easily chance alone would give a difference like this one. Below 0.05: hardly.",
        "p-value of the Diebold-Mariano test on paired losses, which allows for autocorrelation, "
        "against the recommended lane, corrected by Holm for the number of lanes.",
    ),
    "holm": Term(
        "Holm's correction",
        "Who looks at many lanes finds a lucky one: the more are compared, the stricter the test.",
        "The smallest of m p-values is multiplied by m, the next by m - 1, and so on, never "
        "decreasing (Holm 1979).",
    ),
    "mcnemar": Term(
        "McNemar's test",
        "Looks only at rows on which one lane was right and the other wrong: are they uneven?",
        "p-value of McNemar's test on right and wrong answers against the recommended lane. It "
        "takes rows for independent; Diebold-Mariano does not.",
    ),
    "interval": Term(
        "95 % interval",
        "Where the true value plausibly lies, given how much the rows vary.",
        "Made so that it holds the true value in 95 of 100 such replays.",
    ),
    "updates": Term(
        "Updates",
        "How often the model was changed a little by new rows.",
        "Steps of online learning: one for each labelled row, or for each mini-batch.",
    ),
    "retrains": Term(
        "Retrains",
        "How often a new model was trained from scratch.",
        "Offline fits after the deployment, whether the result was put to use or not.",
    ),
    "redeploys": Term(
        "Deployed",
        "How many of the new models passed their test and were put to use.",
        "Changes of the serving model: redeploys after a retrain that was not worse than the "
        "running model.",
    ),
    "rollbacks": Term(
        "Rollbacks",
        "How often the lane went back to an earlier state of its model.",
        "By hand, or by a guard when the error over the window rose above that of the best "
        "checkpoint by a margin.",
    ),
    "downtime": Term(
        "Down",
        "How long nothing served, because a new model was on its way.",
        "Event time (rows, where there is no time column) answered by the baseline instead of a "
        "model.",
    ),
    "cpu": Term(
        "CPU",
        "How long a processor was busy for this lane.",
        "CPU seconds measured for predicting, learning and fitting.",
    ),
    "memory": Term(
        "Memory",
        "How large the model is.",
        "Bytes of the deployed model as it is stored.",
    ),
    "stored": Term(
        "Rows kept",
        "How many old rows must be kept so that the lane can train on them again.",
        "The most rows that were kept for later training at any time.",
    ),
    "staleness": Term(
        "Staleness",
        "How old the newest lesson is when the model answers: this morning's news, or last year's.",
        "Mean number of rows between the newest row that the model had learned from and the row "
        "it predicted.",
    ),
    "forgetting": Term(
        "Forgetting",
        "How much of the old it unlearned while it learned the new.",
        "Best score so far less the score now on the memory set: rows of the training window that "
        "are never learned from again. Positive: it got worse.",
    ),
    "sensitivity": Term(
        "Bad data",
        "How much more it errs when some of the data are wrong.",
        "Rise of the mean loss when a part of the stream is replayed with a fault (flipped labels, "
        "missing values, a wrong unit). The largest rise is shown.",
    ),
    "alarms": Term(
        "Alarms",
        "How often the lane's drift detector said that something had changed.",
        "Alarms of the detector on the lane's own errors, once their labels were known.",
    ),
    "drift": Term(
        "Drifts found",
        "Of the changes that are known to be in the stream, how many an alarm found in time.",
        "Known drifts with an alarm within the tolerance after them; the delay is the mean number "
        "of rows from a drift to its alarm, every other alarm is false.",
    ),
    "quarantined": Term(
        "Kept back",
        "Rows that looked wrong and were not learned from.",
        "Rows quarantined by the lane's guard: outside the training range, or of extreme loss.",
    ),
    "upkeep": Term(
        "Upkeep",
        "What it costs to keep the model going, apart from its errors.",
        "Total cost less the cost of errors: retrains, CPU hours and hours of downtime at their "
        "prices.",
    ),
    "cost": Term(
        "Cost",
        "What the lane would have cost in all, errors included, at your prices.",
        "errors × price of an error + retrains × price of a retrain + CPU hours × price of a "
        "CPU hour + hours down × price of an hour down.",
    ),
    "regret": Term(
        "Regret",
        "How much dearer it was than the best that could have been done by someone who knew the "
        "future.",
        "Total cost less the cost of the hindsight optimum. No policy that can be deployed knows "
        "the future, so some regret is usual.",
    ),
    "hindsight": Term(
        "Hindsight optimum",
        "The retraining dates one would have chosen, had one known how the stream goes on. It "
        "cannot be deployed: it is the yardstick.",
        "The schedule of retrains of least total cost, by dynamic programming over a grid of "
        "possible dates and over what the lanes keep to train on; every candidate model is scored "
        "on every later segment.",
    ),
    "pareto": Term(
        "Pareto front",
        "Lanes for which no other one is better in both: fewer errors and cheaper to keep.",
        "A lane is on the front if no deployable lane has both a lower error and a lower upkeep.",
    ),
    "total_cost": Term(
        "Total cost",
        "Errors and upkeep in one sum of money.",
        "See Cost: all four parts at the present prices.",
    ),
    "price_error": Term(
        "Price of an error",
        "What one wrong answer costs you. For numbers: what being off by one unit costs.",
        "Multiplies the number of errors, or the sum of absolute errors.",
    ),
    "price_retrain": Term(
        "Price of a retrain",
        "What it costs each time a new model is trained, checked and released, people included.",
        "Multiplies the number of retrains.",
    ),
    "price_cpu_hour": Term(
        "Price of a CPU hour",
        "What an hour of one processor costs.",
        "Multiplies the CPU seconds of the lane, divided by 3,600.",
    ),
    "price_downtime_hour": Term(
        "Price of an hour down",
        "What an hour without a serving model costs, apart from the errors made in it.",
        "Multiplies the seconds of downtime in event time, divided by 3,600.",
    ),
    "clear": Term(
        "Clear",
        "This lane errs less than every other beyond chance, and it costs least as well.",
        "The 95 % intervals of the paired differences exclude zero, Holm-corrected tests agree, "
        "and so does the total cost.",
    ),
    "likely": Term(
        "Likely",
        "It costs least, but against at least one other lane that could be luck.",
        "Least total cost; at least one interval or corrected test does not exclude chance.",
    ),
    "tie": Term(
        "Tie",
        "The data do not tell the best lanes apart, so the simplest of them is named.",
        "No difference that matters excludes zero: static goes before scheduled, scheduled before "
        "online.",
    ),
    "too early": Term(
        "Too early",
        "There are too few rows yet to say anything that would hold.",
        "Fewer scored rows than the intervals need.",
    ),
}


def explain(*keys: str) -> str:
    """Return the explanation of one or more terms, for a tooltip.

    Raises
    ------
    KeyError
        There is no such term.
    """
    if len(keys) == 1:
        return TERMS[keys[0]].text
    return "\n\n".join(f"{TERMS[key].word}. {TERMS[key].text}" for key in keys)


HELPED = (
    *("batch", "online", "out_of_core", "triggered", "cost_aware", "champion"),
    *("staleness", "forgetting", "hindsight", "regret", "pareto"),
    *("interval", "dm", "holm", "mcnemar"),
)
"""Terms that the help lists among the words of the program."""

POLICY_TERMS: dict[str, tuple[str, ...]] = {
    "static": ("static", "batch"),
    "scheduled": ("scheduled", "batch"),
    "triggered": ("triggered", "batch"),
    "cost_aware": ("cost_aware", "batch"),
    "champion": ("champion",),
    "online": ("online",),
    "out_of_core": ("out_of_core", "online"),
    "hindsight": ("hindsight",),
}
"""Policy kind -> the terms that explain it."""
