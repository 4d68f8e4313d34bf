"""Names of files that are a trick."""

from typing import Final

DEVICES: Final = (
    *("con", "CON", "Con.txt", "nul.tar.gz", "prn.", "aux:", "AUX:stream.wav", "nul:con", "clock$.wav"),
    *("CONIN$", "conout$.wav", "com0", "COM1.wav", "com9", "LPT0", "lpt1.mp4", "LPT9:"),
    *("con .txt", "NUL  .wav", "com1 :x", " con", " nul .wav", "con\u00a0.wav"),
    *("COM\u00b9", "com\u00b2.wav", "LPT\u00b3", "lpt\u00b9 .wav", "COM\u2074", "COM\u2460"),
    *(
        "\uff43\uff4f\uff4e",
        "\uff2e\uff35\uff2c.wav",
        "con\uff1ax",
        "aux\uff0e\uff57",
        "\uff23OM\uff11",
        "\U0001d68c\U0001d698\U0001d697",
    ),
)
"""Those that Windows, or a program on it, takes for a device's."""

NAMES: Final = (
    *("", ".", "..", "...", "/", "\\", "//", "../..", "../../../../etc/cron.d/x", "/etc/passwd", "....//....//x"),
    *("..\\..\\windows\\system32\\x", "C:\\x", "C:x", "\\\\server\\share\\x", "file:///etc/passwd"),
    *("a:b", "a::$DATA", "a\0b", "\0", "a\nb", "\r\n", "a\x1b[2J", "a\x7f", "a\x85", "\u202egnp.exe", "a\u2028b"),
    *(".hidden", "~root", "-rf", "--help", " ", "  a", "a ", "a.", ". .", "-.~ ", "*", "?", "<a>", "a|b", 'a"b'),
    *("%2e%2e%2f", "$(id)", "`id`", "a" * 300, "語" * 200, "\U0001f600", "\u0300" * 300, "\udcff"),
)
"""Other tricks: paths, streams, controls, options, and what is too long."""
