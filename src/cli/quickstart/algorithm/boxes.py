def boxes_of_cells(cells, size, width, height):
    """Boxes around the groups of touching cells, largest first. `cells` maps (column, row) to a mean difference."""
    left_over = set(cells)
    boxes = []
    while left_over:
        group = _take_group(left_over)
        columns = [column for column, _ in group]
        rows = [row for _, row in group]
        x, y = min(columns) * size, min(rows) * size
        boxes.append({
            "x": x,
            "y": y,
            "width": min((max(columns) + 1) * size, width) - x,
            "height": min((max(rows) + 1) * size, height) - y,
            "label": "differs",
            "score": round(sum(cells[cell] for cell in group) / len(group) / 255, 3),
        })
    return sorted(boxes, key=lambda box: box["width"] * box["height"], reverse=True)


def _take_group(left_over):
    group, edge = [], [left_over.pop()]
    while edge:
        column, row = edge.pop()
        group.append((column, row))
        for neighbour in [(column + dx, row + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]:
            if neighbour in left_over:
                left_over.remove(neighbour)
                edge.append(neighbour)
    return group
