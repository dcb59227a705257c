"""Right and wrong answers to the exercises of notebook 04: what its checks must accept, and what they must refuse."""

import math

import numpy as np
import torch
from answers_picture import right_share
from torch import nn
from torch.nn import functional as F

# --- 4.1 ---


def count_by_layers(text_width, image_width, hidden, outputs):
    widths = [text_width + image_width, hidden, hidden, outputs]
    return sum(before * after + after for before, after in zip(widths, widths[1:]))


def count_by_pytorch(text_width, image_width, hidden, outputs):
    widths = [text_width + image_width, hidden, hidden, outputs]
    head = nn.Sequential(*[nn.Linear(*pair) for pair in zip(widths, widths[1:])])
    return torch.tensor(sum(p.numel() for p in head.parameters()))


# --- 4.2 ---


def input_ready_made(text, picture, draws, share, training):
    joined = torch.cat([F.layer_norm(side, side.shape[-1:]) for side in (text, picture)], -1)
    return joined * (draws >= share) / (1 - share) if training else joined


def input_by_numpy(text, picture, draws, share, training, order=(0, 1), on=None, scale=None):
    sides = [side.numpy() for side in (text, picture)]
    sides = [(side - side.mean(1, keepdims=True)) / np.sqrt(side.var(1, keepdims=True) + 1e-5) for side in sides]
    joined = np.concatenate([sides[i] for i in order], axis=1)
    if training if on is None else on:
        joined = joined * (1 / (1 - share) if scale is None else scale)
        joined[draws.numpy() < share] = 0
    return joined


def input_by_loop(text, picture, draws, share, training):
    rows = []
    for post in range(len(text)):
        row = []
        for side in (text[post].tolist(), picture[post].tolist()):
            mean = sum(side) / len(side)
            spread = math.sqrt(sum((v - mean) ** 2 for v in side) / len(side))
            row += [(v - mean) / spread for v in side]
        if training:
            row = [0.0 if draw < share else v / (1 - share) for v, draw in zip(row, draws[post].tolist())]
        rows.append(row)
    return rows


def input_with(normalise):
    def answer(text, picture, draws, share, training):
        joined = torch.cat([normalise(text), normalise(picture)], -1)
        return joined * (draws >= share) / (1 - share) if training else joined
    return answer


def input_normalised_once(text, picture, draws, share, training):
    joined = torch.cat([text, picture], -1)
    joined = F.layer_norm(joined, joined.shape[-1:])
    return joined * (draws >= share) / (1 - share) if training else joined


def input_then(silence, at_rest=lambda joined, share: joined):
    def answer(text, picture, draws, share, training):
        joined = torch.cat([F.layer_norm(side, side.shape[-1:]) for side in (text, picture)], -1)
        return silence(joined, draws, share) if training else at_rest(joined, share)
    return answer


def input_silenced_first(text, picture, draws, share, training):
    if training:
        text = text * (draws[:, :text.shape[1]] >= share) / (1 - share)
        picture = picture * (draws[:, -picture.shape[1]:] >= share) / (1 - share)
    return torch.cat([F.layer_norm(side, side.shape[-1:]) for side in (text, picture)], -1)


def own_draws(x):
    return torch.from_numpy(np.random.default_rng().uniform(size=x.shape) > 0.3)


# --- 4.3 ---


def softmax_by_hand(logits):
    powers = torch.exp(logits - logits.max(dim=-1, keepdim=True).values)
    return powers / powers.sum(-1, keepdim=True)


def softmax_by_loop(logits):
    rows = []
    for row in logits.tolist():
        powers = [math.exp(z - max(row)) for z in row]
        rows.append([power / sum(powers) for power in powers])
    return rows


def softmax_by_logarithm(logits):
    z = logits.double().numpy()
    top = z.max(1, keepdims=True)
    return np.exp(z - (top + np.log(np.exp(z - top).sum(1, keepdims=True))))


def softmax_less(take_off):
    def answer(logits):
        powers = torch.exp(logits - take_off(logits))
        return powers / powers.sum(-1, keepdim=True)
    return answer


def softmax_math(logits):
    return [[math.exp(z) / sum(math.exp(v) for v in row) for z in row] for row in logits.tolist()]


# --- 4.4 ---


def can_by_cells(table):
    rows, columns = table.shape
    for i in range(rows):
        for j in range(rows):
            for k in range(columns):
                for m in range(columns):
                    if table[i, k] == 1 and table[j, m] == 1 and table[i, m] == 0 and table[j, k] == 0:
                        return False
    return True


def can_by_sets(table):
    liked = sorted((set(np.flatnonzero(row)) for row in table), key=len)
    return all(small <= large for small, large in zip(liked, liked[1:]))


def can_by_counting(table):
    """Sorted by their number of ones, the rows of a sum only ever gain ones."""
    ordered = table[np.argsort(table.sum(1))]
    return torch.tensor(bool((np.diff(ordered, axis=0) >= 0).all()))


def can_by_opinions(table):
    """Looks for the two opinions themselves: raises them until all cells are right, or gives up."""
    text, picture = np.zeros(len(table)), np.zeros(table.shape[1])
    for _ in range(3000):
        wrong = np.argwhere((text[:, None] + picture > 0) != (table == 1))
        if not len(wrong):
            return True
        i, j = wrong[0]
        step = 1 if table[i, j] else -1
        text[i], picture[j] = text[i] + step, picture[j] + step
    return False


def can_if(found, neighbours=False):
    def answer(table):
        rows, columns = table.shape
        return not any(found(table[i, k], table[i, m], table[j, k], table[j, m])
                       for i in range(rows) for j in range(i + 1, rows)
                       for k in range(columns) for m in range(k + 1, columns)
                       if not neighbours or j - i == m - k == 1)
    return answer


def diagonal(a, b, c, d):
    return a == d and b == c and a != b


# --- 4.5 ---


def nearest_mean(inputs, labels, learn, test):
    means = np.stack([inputs[learn][labels[learn] == c].mean(0) for c in (0, 1)])
    scores = inputs[test] @ (means[1] - means[0])
    return ((scores > scores.mean()) == labels[test]).mean()


def by_gradient(inputs, labels, learn, test):
    x, y = torch.tensor(inputs).float(), torch.tensor(labels).float()
    weights = torch.zeros(x.shape[1], requires_grad=True)
    for _ in range(60):
        loss = F.binary_cross_entropy_with_logits(x[learn] @ weights, y[learn])
        loss.backward()
        with torch.no_grad():
            weights -= 0.3 * weights.grad
            weights.grad = None
    return ((x[test] @ weights > 0) == (y[test] > 0)).float().mean()


def products(text, picture):
    return np.einsum("bi,bj->bij", text, picture).reshape(len(text), -1)


def meeting(fit=right_share, split=0.5, flaw=None):
    """The sound experiment, or one with a flaw: what changes its inputs, its labels or its posts."""
    def answer(text, picture, label):
        rng = np.random.default_rng(0)
        order = rng.permutation(len(label))
        learn, test = order[:int(split * len(order))], order[int(split * len(order)):]
        sides, strangers = np.hstack([text, picture]), picture[rng.permutation(len(picture))]
        rows = {"sum": [sides, label, learn, test],
                "products": [np.hstack([sides, products(text, picture)]), label, learn, test],
                "control": [np.hstack([sides, products(text, strangers)]), label, learn, test]}
        if flaw:
            flaw(rows, text, picture, strangers)
        return {name: fit(*row) for name, row in rows.items()}
    return answer


def put(name, place, make):
    def flaw(rows, text, picture, strangers):
        rows[name][place] = make(text, picture, strangers, *rows[name])
    return meeting(flaw=flaw)


def tiled(text, picture, strangers, *_, grow=1):
    """As many inputs as with products, all of them copies of the two sides, or multiples."""
    sides, inputs = np.hstack([text, picture]), text.shape[1] * picture.shape[1]
    copies = [sides * grow ** place for place in range(inputs // sides.shape[1] + 1)]
    return np.hstack([sides, np.hstack(copies)[:, :inputs]])


def with_noise(text, picture, strangers, *_):
    """Another sound control: numbers that nobody's words or picture had a part in."""
    inputs = text.shape[1] * picture.shape[1]
    return np.hstack([text, picture, np.random.default_rng(3).normal(size=(len(text), inputs))])


def two_by_two(text, picture, label):
    """Post by post, in plain loops; the stranger is the next post."""
    rows = {"sum": [], "products": [], "control": []}
    for place in range(len(text)):
        mine, other = picture[place], picture[(place + 1) % len(text)]
        sides = [*text[place], *mine]
        rows["sum"].append(sides)
        rows["products"].append(sides + [a * b for a in text[place] for b in mine])
        rows["control"].append(sides + [a * b for a in text[place] for b in other])
    learn, test = np.arange(0, len(text), 2), np.arange(1, len(text), 2)
    return {name: float(right_share(np.array(row), label, learn, test)) for name, row in rows.items()}


RIGHT = {
    "head_parameters": [count_by_layers, count_by_pytorch, lambda t, i, h, o: float((t + i + 1 + h + 1 + o) * h + o)],
    "head_input": [input_ready_made, input_by_numpy, input_by_loop],
    "steady_softmax": [softmax_by_hand, softmax_by_loop, softmax_by_logarithm, lambda z: torch.softmax(z, -1)],
    "sum_can": [can_by_cells, can_by_sets, can_by_counting, can_by_opinions, can_if(diagonal)],
    "meet_or_add": [meeting(), meeting(split=0.8), meeting(nearest_mean), meeting(by_gradient),
                    put("control", 0, with_noise), two_by_two,
                    put("control", 0, lambda t, p, *_: np.hstack([t, p, products(t, t)]))],
}
WRONG = {
    "head_parameters": [
        (lambda t, i, h, o: (t + i) * h + h * h + h * o, "biases are missing"),
        (lambda t, i, h, o: (t + i) * h + h + h * o + o, "3 linear layers"),
        (lambda t, i, h, o: t * i * h + h + h * h + h + h * o + o, "multiplied"),
        (lambda t, i, h, o: (t + i + h + h) + (t + i + h) * h + h * o, "not to each of its inputs"),
        (lambda t, i, h, o: (t + i) * h + 3 * h + h * o + o, "more weights than units"),
        (lambda t, i, h, o: (t + i) * h + h + h * h + h, "The last layer is missing"),
        (lambda t, i, h, o: (t + i) * h + h + 2 * (h * h + h) + h * o + o, "One layer too many"),
        (lambda t, i, h, o: (t + i) * h + h * h + h + h * o + o, "The biases of one hidden layer"),
        (lambda t, i, h, o: count_by_layers(t, i, h, o) + 2 * (t + i), "numbers of `Scale`"),
        (lambda t, i, h, o: count_by_layers(t, i, h, o) + 1, "too large by 1"),
        (lambda t, i, h, o: 2 * count_by_layers(t, i, h, o), "2 times the one asked for"),
        (lambda t, i, h, o: count_by_layers(t, i, h, o) + t * h, "not what the task asks for"),
        (lambda t, i, h, o: 0, "Yours gives 0 whatever it is called with"),
        (lambda t, i, h, o: (t + i) * h + h * h + h * o + 3, "one bias for a whole layer"),
        (lambda t, i, h, o: (t + i) * h + h + h * h + h + h * o, "biases of the last layer"),
        (lambda t, i, h, o: (t + i + 1) * h * 2 + (h + 1) * o, "enters the first layer alone"),
        (lambda t, i, h, o: count_by_layers(t, i, 256, o), "256 hidden units"),
        (lambda t, i, h, o: t * h + h + h * h + h + h * o + o, "Only one of the two sides"),
        (lambda t, i, h, o: (t * h + h) + (i * h + h) + (h * h + h) + (h * o + o), "a layer of its own"),
    ],
    "head_input": [
        (lambda *case: input_by_numpy(*case, order=(1, 0)), "modalities are swapped"),
        (input_with(lambda side: side), "joined as they are"),
        (input_normalised_once, "Normalised once"),
        (input_with(lambda side: (side - side.mean(0)) / side.std(0, unbiased=False)), "over the batch"),
        (input_with(lambda side: (side - side.mean()) / side.std(unbiased=False)), "whole batch"),
        (input_with(lambda side: (side - side.mean(-1, keepdim=True)) / side.std(-1, keepdim=True)), "one less"),
        (input_with(lambda side: side - side.mean(-1, keepdim=True)), "not yet made 1"),
        (input_with(lambda side: (side - side.mean(0)) / side.std(0)), "its own mean and spread. And the spread"),
        (input_with(lambda side: (side - side.mean()) / side.std()), "each post has its own. And the spread"),
        (input_with(lambda side: side / side.std(-1, correction=0, keepdim=True)), "mean is not yet taken off"),
        (input_with(lambda side: (side - side.mean(-1, keepdim=True)) / side.var(-1, correction=0, keepdim=True)),
         "Divided by the variance"),
        (input_with(lambda side: F.normalize(side, dim=-1)), "brought to the length 1"),
        (input_with(lambda side: (side - side.amin(1, True)) / (side.amax(1, True) - side.amin(1, True))),
         "between its smallest and its largest"),
        (input_with(lambda side: side.softmax(-1)), "not what the task asks for"),
        (input_then(lambda joined, draws, share: joined * (draws < share)), "and the others not scaled up"),
        (input_then(lambda joined, draws, share: joined * (draws >= share) / (draws >= share).float().mean()),
         "how many happen to survive"),
        (input_then(lambda joined, draws, share: joined * (draws >= share) * (1 + share)), "does not make up for"),
        (input_then(lambda joined, draws, share: joined * (draws.flip(1) >= share) / (1 - share)),
         "Other numbers fall silent"),
        (lambda *case: input_by_numpy(*case, on=True), "Dropout is left on"),
        (input_then(lambda x, draws, share: x * (draws >= share), lambda x, share: x * (1 - share)), "made up for"),
        (lambda *case: input_by_numpy(*case, on=False), "Nothing is silenced"),
        (lambda *case: input_by_numpy(*case, scale=1), "not scaled up"),
        (lambda *case: input_by_numpy(*case, scale=1 - case[3]), "made smaller"),
        (lambda *case: input_by_numpy(*case, scale=1 / case[3]), "share that is left"),
        (input_then(lambda x, draws, share: x * (draws < share) / (1 - share)), "wrong ones"),
        (input_then(lambda x, draws, share: x * (draws < share) / share), "as in PyTorch"),
        (input_silenced_first, "before they are normalised"),
        (input_then(lambda x, draws, share: x * own_draws(x) / (1 - share)), "gives two answers"),
        (lambda text, picture, *_: torch.cat([text, F.layer_norm(picture, picture.shape[1:])], 1), "text is joined"),
        (lambda text, picture, *_: torch.cat([F.layer_norm(text, text.shape[1:]), picture], 1), "picture is joined"),
        (lambda text, picture, *_: torch.cat([text, picture], 0), "stopped with RuntimeError"),
    ],
    "steady_softmax": [
        (lambda z: torch.softmax(z, 0), "columns sum to 1"),
        (lambda z: torch.softmax(torch.softmax(z, -1), -1), "twice"),
        (torch.sigmoid, "sigmoid"),
        (lambda z: z / z.sum(-1, keepdim=True), "powers are missing"),
        (torch.exp, "powers alone; they"),
        (lambda z: torch.exp(z - z.amax(-1, keepdim=True)), "divided by the largest of their row"),
        (lambda z: z.sigmoid() / z.sigmoid().sum(-1, keepdim=True), "Each logit's sigmoid is divided"),
        (lambda z: softmax_by_hand(-z), "gets the smallest share"),
        (lambda z: softmax_by_hand(z) * z.shape[-1], "do not sum to 1"),
        (lambda z: softmax_by_hand(z * 0.6931), "count for too much or too little"),
        (lambda z: softmax_by_hand(z).flip(0), "in other places"),
        (lambda z: torch.exp(z) / torch.exp(z).sum(), "All posts together"),
        (lambda z: torch.log_softmax(z, -1), "logarithms"),
        (lambda z: (z == z.amax(-1, keepdim=True)).float(), "All goes to the largest"),
        (softmax_less(lambda z: z.amax(0)), "same number off a whole row"),
        (softmax_less(lambda z: 0), "the power is more"),
        (softmax_less(lambda z: z.abs().amax(-1, keepdim=True)), "round to 0"),
        (softmax_less(lambda z: z.max()), "same number taken off both rows"),
        (softmax_less(lambda z: z.mean(-1, keepdim=True)), "With 1000 and -1000 in one row"),
        (lambda z: softmax_less(lambda z: 0)(z.clamp(-50, 50)), "cut off"),
        (lambda z: softmax_by_hand(z)[0], "Expected the shape"),
    ],
    "sum_can": [
        (lambda table: not can_by_cells(table), "wrong way round"),
        (can_if(lambda a, b, c, d: a + d != b + c), "are themselves sums"),
        (can_if(lambda a, b, c, d: (a, b, c, d) == (1, 0, 0, 1)), "upper left"),
        (can_if(lambda a, b, c, d: (a, b, c, d) == (0, 1, 1, 0)), "lower left"),
        (can_if(diagonal, neighbours=True), "neighbouring"),
        (lambda table: not diagonal(table[0, 0], table[0, -1], table[-1, 0], table[-1, -1]), "For the table"),
        (lambda table: not diagonal(*table[:2, :2].flatten()), "first two rows"),
        (lambda table: can_by_cells(table) and table.all(), "there are opinions"),
        (lambda table: "yes" if can_by_cells(table) else "no", "Expected a bool"),
        (lambda table: not any(diagonal(table[0, 0], table[0, j], table[i, 0], table[i, j])
                               for i in range(len(table)) for j in range(table.shape[1])), "for partners"),
    ],
    "meet_or_add": [
        (put("products", 3, lambda t, p, q, x, y, learn, test: learn), '"products" came out as'),
        (put("control", 2, lambda t, p, q, x, y, learn, test: np.r_[learn, test]), '"control" came out as'),
        (put("sum", 3, lambda t, p, q, x, y, learn, test: learn), '"sum" came out as'),
        (put("sum", 3, lambda t, p, q, x, y, learn, test: np.r_[learn, test]), '"sum" came out as'),
        (put("sum", 0, lambda t, p, q, x, *_: t), "both sides of the same post"),
        (put("sum", 0, lambda t, p, q, x, *_: np.hstack([x, products(t, p)])), "no sum can solve"),
        (put("products", 0, lambda t, p, q, x, *_: np.hstack([t, p, t * p])), "Is every number"),
        (put("products", 0, lambda t, p, *_: products(t, p)), "lost the two sides"),
        (put("control", 0, lambda t, p, *_: np.hstack([t, p, products(t, p)])), "controls nothing"),
        (put("control", 0, lambda t, p, q, *_: np.hstack([t, q, products(t, q)])), "lost more"),
        (put("control", 0, lambda t, p, *_: np.hstack([t, p])), "to the last digit"),
        (put("control", 0, tiled), "pays nothing"),
        (put("control", 0, lambda t, p, q, *_: np.hstack([t, p, t * q])), "pays far less"),
        (lambda *case: {"linear": 0.5, "products": 0.9}, "Expected a dictionary"),
        (lambda *case: {"sum": 50, "products": 90, "control": 50}, "between 0 and 1"),
    ],
}
