# SPDX-License-Identifier: MIT
"""Makes a failing list of lines shorter, many tries at once: a try that boots a
machine costs seconds, a hundred of them in one boot hardly more."""

ROUNDS = 60
PARTS = ((2, 4, 8), (16, 32), (64, 128, 256))  # of the list, round by round: few and large ones first


def _chunks(count, parts):
    """(start, end) of the pieces to leave out where the list is cut into PARTS."""
    sizes = sorted({-(-count // part) for part in parts}, reverse=True)
    return [(start, min(start + size, count)) for size in sizes for start in range(0, count, size)]


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


def _round(lines, parts, fails):
    """LINES without some of its PARTS, or as it is where none of them can go."""
    shorter, spare = _largest_failing(lines, [[piece] for piece in _chunks(len(lines), parts)], fails)
    # What can go alone can often go together; where all of it can not, half can.
    unions, part = [], sorted(spare, key=lambda piece: piece[0] - piece[1])
    while len(part) > 1:
        unions += [part, part[len(part) // 2:]]
        part = part[:len(part) // 2]
    together = _largest_failing(lines, unions, fails)[0] if unions else lines
    return min(shorter, together, key=len)


def shrink(lines, fails):
    """The shortest list found for which fails([list, ...]) still says True."""
    level = 0
    for _ in range(ROUNDS):
        shorter = _round(lines, PARTS[level], fails)
        if len(shorter) < len(lines):
            lines, level = shorter, 0
        elif len(lines) < PARTS[level][0] or level + 1 == len(PARTS):
            break
        else:
            level += 1
    return lines
