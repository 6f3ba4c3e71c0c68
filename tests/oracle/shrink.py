# SPDX-License-Identifier: MIT
"""Makes a failing list of lines shorter, many tries at once: a try that boots a
machine costs seconds, a hundred of them in one boot hardly more."""

ROUNDS = 40


def _chunks(count):
    """(start, end) of pieces to leave out, large ones first."""
    size = max(count // 2, 1)
    pieces = []
    while size:
        pieces += [(start, min(start + size, count)) for start in range(0, count, size)]
        size //= 2
    return pieces


def _without(lines, pieces):
    gone = {i for start, end in pieces for i in range(start, end)}
    return [line for i, line in enumerate(lines) if i not in gone]


def _largest_failing(lines, choices, fails):
    """Leaves out as many of CHOICES (lists of pieces) as still fails; LINES itself
    where none does.  Also which single pieces were not missed."""
    tries = [_without(lines, pieces) for pieces in choices]
    results = fails(tries)
    failing = [t for t, bad in zip(tries, results) if bad]
    spare = [pieces[0] for pieces, bad in zip(choices, results) if bad and len(pieces) == 1]
    return min(failing, key=len, default=lines), spare


def shrink(lines, fails):
    """The shortest list found for which fails([list, ...]) still says True."""
    for _ in range(ROUNDS):
        shorter, spare = _largest_failing(lines, [[piece] for piece in _chunks(len(lines))], fails)
        if not spare:
            return lines
        # What can go alone can often go together; where all of it can not, half can.
        unions, part = [], sorted(spare, key=lambda piece: piece[0] - piece[1])
        while len(part) > 1:
            unions += [part, part[len(part) // 2:]]
            part = part[:len(part) // 2]
        best = _largest_failing(lines, unions, fails)[0] if unions else lines
        lines = min(shorter, best, key=len)
    return lines
