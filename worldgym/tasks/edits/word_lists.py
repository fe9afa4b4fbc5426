"""The words that instructions are said otherwise with: sentences around them, synonyms, other
languages word by word, and how an instruction is taken apart."""

from __future__ import annotations

import re
from collections.abc import Mapping

FRAMES = (
    "please {}",
    "your task is to {}",
    "could you {}?",
    "i would like you to {}",
    "robot, {} now",
)
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "open": ("pull open", "unclose"),
    "close": ("shut", "push shut"),
    "press": ("push down", "hit"),
    "push": ("shove", "press"),
    "put": ("place", "set"),
    "place": ("put", "set"),
    "lift": ("raise", "pick up"),
    "pick": ("grab", "take"),
    "move": ("bring", "shift"),
    "stack": ("pile", "set"),
    "take": ("fetch", "remove"),
    "turn": ("rotate", "twist"),
    "drawer": ("tray", "cabinet drawer"),
    "door": ("cabinet door", "hatch"),
    "window": ("casement", "glass pane"),
    "button": ("push button", "switch"),
    "faucet": ("tap", "spigot"),
    "handle": ("lever", "grip"),
    "cup": ("mug", "beaker"),
    "pot": ("saucepan", "cooking pot"),
    "plate": ("dish", "saucer"),
    "eggplant": ("aubergine", "purple vegetable"),
    "bottle": ("flask", "container"),
    "above": ("the top", "overhead"),
}
VERBS: Mapping[str, Mapping[str, str]] = {
    "de": {
        "open": "öffne",
        "close": "schließe",
        "press": "drücke",
        "push": "schiebe",
        "lift": "hebe",
        "move": "bewege",
    },
    "es": {
        "open": "abre",
        "close": "cierra",
        "press": "presiona",
        "push": "empuja",
        "lift": "levanta",
        "move": "mueve",
    },
    "fr": {
        "open": "ouvre",
        "close": "ferme",
        "press": "appuie sur",
        "push": "pousse",
        "lift": "soulève",
        "move": "déplace",
    },
}
NOUNS: Mapping[str, Mapping[str, str]] = {
    "de": {
        "drawer": "die Schublade",
        "door": "die Tür",
        "window": "das Fenster",
        "button": "den Knopf",
        "faucet": "den Wasserhahn",
        "handle": "den Griff",
        "cup": "die Tasse",
        "pot": "den Topf",
        "plate": "den Teller",
        "eggplant": "die Aubergine",
        "bottle": "die Flasche",
    },
    "es": {
        "drawer": "el cajón",
        "door": "la puerta",
        "window": "la ventana",
        "button": "el botón",
        "faucet": "el grifo",
        "handle": "la manija",
        "cup": "la taza",
        "pot": "la olla",
        "plate": "el plato",
        "eggplant": "la berenjena",
        "bottle": "la botella",
    },
    "fr": {
        "drawer": "le tiroir",
        "door": "la porte",
        "window": "la fenêtre",
        "button": "le bouton",
        "faucet": "le robinet",
        "handle": "la poignée",
        "cup": "la tasse",
        "pot": "la casserole",
        "plate": "l'assiette",
        "eggplant": "l'aubergine",
        "bottle": "la bouteille",
    },
}
PHRASES: Mapping[str, Mapping[str, str]] = {
    "de": {
        "": "",
        "from above": "von oben",
        "down": "nach unten",
        "on the left down": "links nach unten",
    },
    "es": {
        "": "",
        "from above": "desde arriba",
        "down": "hacia abajo",
        "on the left down": "de la izquierda hacia abajo",
    },
    "fr": {
        "": "",
        "from above": "par le haut",
        "down": "vers le bas",
        "on the left down": "de gauche vers le bas",
    },
}
PREPOSITIONS = frozenset(
    {"from", "on", "onto", "in", "into", "to", "out", "with", "under", "off", "up", "down"}
)
PARTS = re.compile(
    r"(?P<verb>\w+(?: up| down| on| off)?) (?P<object>(?:the |a )?.+?)"
    r"(?: (?P<rest>(?:from|on|onto|in|into|to|out of|with|under) .+|up|down))?"
)
