"""Answers to the exercises of notebook 08: right ones in several styles, wrong ones with words of their messages."""

import numpy as np
import torch

# --- 8.1 warning_scores ---


def by_product(text_alone, picture_alone, contradicts):
    text, picture = text_alone.argmax(1) - 1, picture_alone.argmax(1) - 1
    warned = text * picture == -1
    return (warned & contradicts).sum() / contradicts.sum(), (warned & contradicts).sum() / warned.sum()


def by_loop(text_alone, picture_alone, contradicts):
    hits = warnings = 0
    for text, picture, true in zip(text_alone, picture_alone, contradicts):
        if {int(np.argmax(text)), int(np.argmax(picture))} == {0, 2}:
            warnings += 1
            hits += bool(true)
    return [hits / int(sum(contradicts)), hits / warnings]


def in_torch(text_alone, picture_alone, contradicts):
    sides = [torch.from_numpy(side).argmax(-1) for side in (text_alone, picture_alone)]
    warned, true = (sides[0] - sides[1]).abs() == 2, torch.from_numpy(contradicts)
    return torch.stack([warned[true].double().mean(), true[warned].double().mean()])


def by_distance(text_alone, picture_alone, contradicts):
    warned = abs(text_alone.argmax(1) - picture_alone.argmax(1)) == 2
    return np.array([warned[contradicts].mean(), contradicts[warned].mean()])


def warning(warn, share=lambda warned, true: (warned[true].mean(), true[warned].mean())):
    return lambda text, picture, true: share(warn(text, picture), true)


def quarrel(text, picture):
    return abs(text.argmax(1) - picture.argmax(1)) == 2


# --- 8.2 silent_below ---


def by_trying(known, test, wanted):
    confidence, right = known
    limit = min(one for one in confidence if right[confidence >= one].mean() >= wanted)
    answered = test[0] >= limit
    return limit, answered.mean(), test[1][answered].mean()


def by_sorting(known, test, wanted):
    limits, best = np.unique(known[0])[::-1], None
    for limit in limits:
        if np.mean(known[1][known[0] >= limit]) >= wanted:
            best = limit
    kept = [right for confidence, right in zip(*test) if confidence >= best]
    return [float(best), len(kept) / len(test[0]), sum(kept) / len(kept)]


def all_at_once(known, test, wanted):
    confidence, right = (torch.as_tensor(part) for part in known)
    answered = confidence >= confidence[:, None]  # (thresholds, posts)
    shares = (answered & right).sum(1) / answered.sum(1)
    limit = confidence[shares >= wanted].min()
    kept = torch.as_tensor(test[0]) >= limit
    return torch.stack([limit, kept.double().mean(), torch.as_tensor(test[1])[kept].double().mean()])


def threshold(known, wanted, pick=min):
    confidence, right = known
    return pick(one for one in confidence if right[confidence >= one].mean() >= wanted)


def more_than(known, test, wanted):
    confidence, right = known
    return min(one for one in confidence if right[confidence >= one].mean() > wanted)


def nearest_to_it(known, test, wanted):
    confidence, right = known
    return confidence[np.argmin([abs(right[confidence >= one].mean() - wanted) for one in confidence])]


def accuracy_of_the_known(known, test, wanted):
    limit, coverage, _ = by_trying(known, test, wanted)
    return limit, coverage, known[1][known[0] >= limit].mean()


def at_one_confidence(known, test, wanted):
    confidence, right = known
    return min(one for one in confidence if right[confidence == one].mean() >= wanted)


def coverage_of_the_known(known, test, wanted):
    limit, _, accuracy = by_trying(known, test, wanted)
    return limit, (known[0] >= limit).mean(), accuracy


def silent(choose=lambda known, test, wanted: threshold(known, wanted), tell=lambda at, right: (
        at.mean(), right[at].mean()), on=1):
    def answer(*case):
        limit = choose(*case)
        confidence, right = case[on]
        return (limit, *tell(confidence >= limit, right))
    return answer


def above_alone(known, test, wanted):
    limit = threshold(known, wanted)
    at = test[0] > limit
    return limit, at.mean(), test[1][at].mean()


def stops_early(known, test, wanted):
    confidence, right = known
    order, limit = np.argsort(-confidence), None
    for i in range(len(order)):
        if right[order[:i + 1]].mean() < wanted:
            break
        limit = confidence[order[i]]
    at = test[0] >= limit
    return limit, at.mean(), test[1][at].mean()


RIGHT = {
    "warning_scores": [by_product, by_loop, in_torch, by_distance],
    "silent_below": [by_trying, by_sorting, all_at_once],
}


def cut_anywhere(known, test, wanted):
    confidence, right = known
    order = np.argsort(confidence)[::-1]
    running = right[order].cumsum() / (1 + np.arange(len(right)))
    return confidence[order][np.where(running >= wanted)[0].max()]


WRONG = {
    "warning_scores": [
        (lambda *case: by_product(*case)[::-1], "swapped"),
        (warning(lambda text, picture: (text.argmax(1) - 1) * (picture.argmax(1) - 1) <= 0), "a product of 0"),
        (warning(lambda text, picture: text.argmax(1) != picture.argmax(1)), "wherever the sides differ"),
        (warning(lambda text, picture: (text.argmax(1) == picture.argmax(1)) & (text.argmax(1) != 1)),
         "wherever the sides have one mood"),
        (warning(lambda text, picture: text.argmax(1) + picture.argmax(1) == 2), "both sides are neutral, too"),
        (warning(lambda text, picture: (text.argmax(1) == 2) & (picture.argmax(1) == 0)), "leaves out half"),
        (warning(lambda text, picture: (text.argmax(1) == 0) & (picture.argmax(1) == 2)), "the other half"),
        (warning(lambda text, picture: (text[:, 2] > text[:, 0]) != (picture[:, 2] > picture[:, 0])),
         "neutral probability is passed over"),
        (warning(lambda text, picture: (text + picture).argmax(1) != 1), "averaged before"),
        (warning(quarrel, lambda warned, true: 2 * ((warned & true).mean(),)), "shares of all posts"),
        (warning(quarrel, lambda warned, true: ((warned == true).mean(), true[warned].mean())), "sorted rightly"),
        (warning(quarrel, lambda warned, true: ((~warned)[true].mean(), true[warned].mean())), "were missed"),
        (warning(quarrel, lambda warned, true: (warned[true].mean(), (warned == true).mean())), "among the warnings"),
        (warning(quarrel, lambda warned, true: (warned[true].mean(), warned[~true].mean())), "peaceful posts"),
        (warning(quarrel, lambda warned, true: (warned[true].mean(), (~true)[warned].mean())), "false warnings"),
        (warning(quarrel, lambda warned, true: 2 * ((warned & true).sum(),)), "These are counts"),
        (lambda *case: 100 * by_distance(*case), "per cent"),
        (lambda *case: by_product(*case)[0], "shape"),
        (lambda text, picture, true: [float(true.mean()), 1.0], "not what the task asks for")],
    "silent_below": [
        (silent(lambda known, test, wanted: threshold(test, wanted)), "test posts"),
        (silent(lambda known, test, wanted: threshold(known, wanted, max)), "highest that would do"),
        (silent(more_than), "at least that is enough"), (coverage_of_the_known, "The coverage is that of the known"),
        (silent(lambda known, test, wanted: threshold(known, wanted, next)), "in the order of the posts"),
        (silent(at_one_confidence), "posts with one confidence"), (silent(nearest_to_it), "nearest to what is wanted"),
        (accuracy_of_the_known, "The accuracy is that of the known"),
        (silent(tell=lambda at, right: (100 * at.mean(), 100 * right[at].mean())), "are per cent"),
        (silent(cut_anywhere), "together or not at all"), (stops_early, "from the top"),
        (above_alone, "at least as sure"),
        (silent(lambda known, test, wanted: wanted), "wanted itself"),
        (silent(on=0), "of the known posts, which chose"),
        (silent(tell=lambda at, right: (at.mean(), (at & right).mean())), "Silence is counted"),
        (silent(tell=lambda at, right: (at.mean(), right.mean())), "all test posts"),
        (silent(tell=lambda at, right: ((~at).mean(), right[~at].mean())), "is silent: tell"),
        (silent(tell=lambda at, right: ((~at).mean(), right[at].mean())), "share that it answers"),
        (silent(tell=lambda at, right: (right[at].mean(), at.mean())), "Coverage and accuracy are swapped"),
        (silent(tell=lambda at, right: (at.sum(), right[at].mean())), "is a count"),
        (lambda *case: by_trying(*case)[1:], "shape"),
        (silent(lambda known, test, wanted: threshold(known, wanted) + 0.001), "none of the confidences"),
        (lambda *case: np.array(silent(lambda known, *_: known[0].min())(*case)), "not what the task asks for")],
}
