"""Where rays meet: the point with the least sum of squared distances to all of them."""

from __future__ import annotations

from collections.abc import Sequence

Vector = tuple[float, float, float]


def nearest_point(origins: Sequence[Vector], directions: Sequence[Vector]) -> Vector:
    """The P that minimises sum |(I - d dᵀ)(P - o)|² over rays with origin o and unit direction d.

    Raises ValueError when the rays are (nearly) parallel and meet nowhere in particular.
    """
    matrix = [[0.0] * 3 for _ in range(3)]
    right = [0.0] * 3
    for origin, d in zip(origins, directions, strict=True):
        for row in range(3):
            for column in range(3):
                weight = (row == column) - d[row] * d[column]
                matrix[row][column] += weight
                right[row] += weight * origin[column]
    whole = _determinant(matrix)
    if abs(whole) < 1e-9:
        raise ValueError("the rays are parallel: the cameras must stand apart")
    x, y, z = (
        _determinant(
            [[*row[:i], value, *row[i + 1 :]] for row, value in zip(matrix, right, strict=True)]
        )
        / whole
        for i in range(3)
    )
    return (x, y, z)


def _determinant(m: list[list[float]]) -> float:
    return (
        m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1])
        - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
        + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
    )
