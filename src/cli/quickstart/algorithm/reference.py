def read_ppm(path):
    """Width, height and RGB bytes of a binary PPM with 255 levels and no comments."""
    with open(path, "rb") as file:
        data = file.read()
    kind, width, height, levels = data[:64].split()[:4]
    if kind != b"P6" or levels != b"255":
        raise ValueError("%s is not a binary PPM with 255 levels" % path)
    size = 3 * int(width) * int(height)
    return int(width), int(height), data[-size:]
