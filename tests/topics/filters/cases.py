"""What the documentation says, as cases: a policy, a message, and whether they match.

Rules for one key are written as conditions, values that match and values that do not; a value is
put into a body as it is, and into an attribute of its type. Sources: Amazon SNS Developer Guide,
Message filtering: Amazon SNS subscription filter policies, String value matching, Numeric value
matching, Payload-based filtering, Filter policy constraints.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from rmq.core.codec import MessageAttribute
from rmq.topics.filters.view import MessageView

GONE = object()
"""The key is not there."""


@dataclass(frozen=True)
class Case:
    """One row: does this policy match this message?"""

    rule: str
    policy: dict[str, Any]
    scope: str
    message: Any
    """Values by key: of attributes, or the body."""
    expected: bool

    @property
    def id(self) -> str:
        shown = json.dumps(self.message, default=str)
        return f"{self.rule} | {json.dumps(self.policy)} | {self.scope[8:]} {shown}"[:180]

    def view(self) -> MessageView:
        if self.scope == "message_body":
            text = self.message if isinstance(self.message, str) else json.dumps(self.message)
            return MessageView({}, text)
        made = {
            name: value if isinstance(value, MessageAttribute) else attribute(value)
            for name, value in self.message.items()
        }
        return MessageView(made, "no JSON")


def attribute(value: Any) -> MessageAttribute:
    """The attribute that holds a value."""
    if isinstance(value, str):
        return MessageAttribute("String", value)
    if isinstance(value, list):
        return MessageAttribute("String.Array", json.dumps(value))
    return MessageAttribute("Number", str(value))


# Rule; conditions; values that match; values that do not. In both scopes.
BOTH = [
    ("exact text", ["rugby"], ["rugby"], ["Rugby", "rugby ", "rugb", "rugby2", "x", 1, GONE]),
    ("any of several texts", ["rugby", "tennis"], ["rugby", "tennis"], ["golf", "rugbytennis"]),
    ("text of other alphabets", ["дом", "日本"], ["дом", "日本"], ["Дом", "日", "本"]),
    ("text is not normalised", ["\u00e9"], ["\u00e9"], ["e\u0301"]),
    ('quotes and backslashes are plain', ['a"b\\c'], ['a"b\\c'], ['a\\"b\\\\c', "abc"]),
    ("no text is a number", ["1"], ["1"], [1, 1.0, "1.0"]),
    ("no number is a text", [1], [1, 1.0], ["1", "1.0", 2, "a"]),
    ("numbers are equal by value", [100], [100, 100.0, 1e2, [5, 100]], [100.1, 1000, -100]),
    ("numbers may be written with exponents", [1.5e2], [150, 150.0], [1.5, 15]),
    ("five decimals count", [0.00001], [0.00001, 0.000012], [0, 0.00002, -0.00001]),
    ("the sixth decimal is rounded", [1.000004], [1, 1.000001], [1.00001, 1.000006]),
    ("negative numbers", [-5.5], [-5.5], [5.5, -5]),
    ("zero has no sign", [0], [0, 0.0, -0.0], [0.1]),
    ("large numbers", [10**9], [10**9, 1e9], [10**9 - 1, 10**9 + 1, 10**40]),
    ("text or number", ["a", 1], ["a", 1, ["b", 1]], ["b", 2, ["b", 2]]),
    ("any element of an array", ["rugby"], [["rugby"], ["golf", "rugby"]], [["golf"], []]),
    ("arrays in arrays", ["a"], [[["a"]], ["b", ["c", ["a"]]]], [[["b"]], [[]]]),
    ("true in an array", [True], [[True], ["a", True]], [[False], ["true"], [1], "true", 1]),
    ("false in an array", [False], [[False]], [[True], ["false"], [0], [None], "false", 0]),
    ("null in an array", [None], [[None], [1, None]], [["null"], [0], [False], [], "null"]),
    ("prefix", [{"prefix": "bas"}], ["bas", "baseball", ["x", "basket"]],
     ["ba", "Base", "abas", 1]),
    ("prefix of a number is none", [{"prefix": "1"}], ["1", "10"], [1, 10, [1]]),
    ("the empty prefix is any text", [{"prefix": ""}], ["", "a", ["b"]], [1, [1], [True],
     [], GONE]),
    ("prefixes", [{"prefix": "a"}, {"prefix": "bc"}], ["a", "ax", "bcx"], ["b", "bx", "cx"]),
    ("suffix", [{"suffix": "ball"}], ["ball", "baseball", ["x", "ball"]],
     ["all", "BALL", "balls", 1]),
    ("the empty suffix is any text", [{"suffix": ""}], ["", "a"], [1, [None], GONE]),
    ("suffixes", [{"suffix": ".png"}, {"suffix": "g"}], ["a.png", "g"], ["a.PNG", "gif"]),
    ("ignore case", [{"equals-ignore-case": "Tennis"}], ["tennis", "TENNIS", "tEnNiS", ["Tennis"]],
     ["tennis ", "tenni", 1, GONE]),
    ("ignore case beyond ASCII", [{"equals-ignore-case": "STRASSE Ä"}], ["straße ä", "Strasse Ä"],
     ["strase ä"]),
    ("wildcard in the middle", [{"wildcard": "a*c"}], ["ac", "abc", "abcbc", "a*c", ["x", "ac"]],
     ["a", "c", "abcd", "xabc", "aC", 1]),
    ("wildcard at the end", [{"wildcard": "a*"}], ["a", "ab", "a\nb"], ["", "ba", "A"]),
    ("wildcard at the start", [{"wildcard": "*.log"}], [".log", "x.log"], ["log", "x.logs"]),
    ("wildcard around", [{"wildcard": "*mid*"}], ["mid", "amid", "midst", "amidst"], ["mi", "mdi"]),
    ("wildcard alone", [{"wildcard": "*"}], ["", "a"], [1, [True], [], GONE]),
    ("three wildcards", [{"wildcard": "a*b*c*d"}], ["abcd", "axbxcxd", "abbccd"], ["abc", "acbd"]),
    ("what stands between does not overlap", [{"wildcard": "ab*ba"}], ["abba", "abxba"], ["aba"]),
    ("middles do not overlap", [{"wildcard": "*aa*aa*"}], ["aaaa", "aaxaa"], ["aaa", "aa"]),
    ("middles keep their order", [{"wildcard": "*a*b*"}], ["ab", "xaxbx", "bab"], ["ba", "b", "a"]),
    ("middles end before the end", [{"wildcard": "a*bc*c"}], ["abcc", "abcxc"], ["abc", "ac"]),
    ("a pattern without stars", [{"wildcard": "abc"}], ["abc"], ["ab", "abcd", "a*c"]),
    ("an escaped star", [{"wildcard": "a\\*b"}], ["a*b"], ["ab", "axb", "a\\*b"]),
    ("an escaped backslash", [{"wildcard": "a\\\\*"}], ["a\\", "a\\b"], ["a", "a*"]),
    ("a dot is a dot", [{"wildcard": "a.*"}], ["a.", "a.b"], ["ab", "a"]),
    ("anything but a text", [{"anything-but": "rugby"}], ["golf", "Rugby", "", 1, [True]],
     ["rugby", ["rugby"], [], GONE]),
    ("anything but texts", [{"anything-but": ["rugby", "tennis"]}],
     ["golf", ["rugby", "baseball"], ["golf"]], ["rugby", ["rugby"], ["tennis", "rugby"], GONE]),
    ("anything but a number", [{"anything-but": 100}], [101, 99.99999, "100", [100, 101]],
     [100, 100.0, [100], GONE]),
    ("anything but numbers", [{"anything-but": [100, 500]}], [101, -100, "a"], [100, 500, [500]]),
    ("anything but a prefix", [{"anything-but": {"prefix": "order-"}}],
     ["order", "x-order-", 1, ["order-1", "y"]], ["order-", "order-1", ["order-1"], GONE, []]),
    ("anything but a suffix", [{"anything-but": {"suffix": "ball"}}], ["rugby", "balls", 1],
     ["baseball", "ball", GONE]),
    ("anything but a wildcard", [{"anything-but": {"wildcard": "a*z"}}], ["a", "za", "abzc", 7],
     ["az", "abcz", ["az"], GONE]),
    ("anything but in any case", [{"anything-but": {"equals-ignore-case": "A"}}], ["b", "aa", 1],
     ["a", "A", ["a"], GONE]),
    ("anything but, or one of them after all", [{"anything-but": ["a", "b"]}, "a"], ["a", "c"],
     ["b"]),
    ("numeric =", [{"numeric": ["=", 301.5]}], [301.5, [1, 301.5]],
     [301, 301.50001, "301.5", GONE]),
    ("numeric <", [{"numeric": ["<", 10]}], [9.99999, -(10**9), 0], [10, 10.00001, "9", [], GONE]),
    ("numeric <=", [{"numeric": ["<=", 10]}], [10, 9], [10.00001, 11]),
    ("numeric >", [{"numeric": [">", 10]}], [10.00001, 10**9, 2 * 10**9, 10**30], [10, 9.99999]),
    ("numeric >=", [{"numeric": [">=", 10]}], [10, 11], [9.99999, -10]),
    ("a range without its ends", [{"numeric": [">", 0, "<", 10]}], [0.00001, 5, 9.99999],
     [0, 10, -1, 11]),
    ("a range with its ends", [{"numeric": [">=", 0, "<=", 10]}], [0, 5, 10, [20, 3]],
     [-0.00001, 10.00001, [20, -3]]),
    ("a range with its lower end", [{"numeric": [">=", -1.5, "<", 1.5]}], [-1.5, 0, 1.49999],
     [1.5, -1.50001]),
    ("a range with nothing in it", [{"numeric": [">", 1, "<", 1.00001]}], [],
     [1, 1.00001, 1.000004]),
    ("one element has to lie in all of a range", [{"numeric": [">", 1, "<", 3]}], [[0, 2]],
     [[0, 5]]),
    ("two ranges", [{"numeric": ["<", 0]}, {"numeric": [">", 10]}], [-1, 11], [0, 5, 10]),
    ("cidr of IPv4", [{"cidr": "10.0.0.0/24"}], ["10.0.0.0", "10.0.0.255", ["x", "10.0.0.7"]],
     ["10.0.1.0", "9.255.255.255", "10.0.0.256", "10.0.0", "10.0.0.0/24", "x", "", 10, GONE]),
    ("cidr of one address", [{"cidr": "10.1.2.3/32"}], ["10.1.2.3"],
     ["10.1.2.4", "::ffff:10.1.2.3"]),
    ("cidr of all IPv4", [{"cidr": "0.0.0.0/0"}], ["1.2.3.4", "255.255.255.255"], ["::1", "a"]),
    ("cidr with bits behind its prefix", [{"cidr": "10.0.0.77/24"}], ["10.0.0.1"], ["10.0.1.77"]),
    ("cidr of odd length", [{"cidr": "192.168.4.0/22"}], ["192.168.7.255"], ["192.168.8.0"]),
    ("cidr of IPv6", [{"cidr": "2001:db8::/32"}],
     ["2001:db8::1", "2001:DB8:ffff::", "2001:0db8:0:0:0:0:0:1"],
     ["2001:db9::", "2001:db8", "10.0.0.1"]),
    ("cidr of one IPv6 address", [{"cidr": "::1/128"}], ["::1", "0:0:0:0:0:0:0:1"],
     ["::2", "::1%eth0", "127.0.0.1"]),
    ("exists", [{"exists": True}], ["a", 0, [False], [None, 1], ["", "a"]], [GONE, "", [None],
     []]),
    ("exists or a value", [{"exists": False}, "a"], ["a"], ["b", 1]),
    ("different kinds", [{"prefix": "a"}, {"numeric": [">", 5]}, {"exists": False}], ["ab", 6],
     ["b", 5]),
]  # fmt: skip

BODY = [
    ("true", [True], [True], [False, "true", 1, None, GONE, {}]),
    ("false", [False], [False], [True, "false", 0, None, GONE, ""]),
    ("null", [None], [None], ["null", 0, False, GONE, "", {}]),
    ("an object has no leaf", ["a"], [], [{"a": "a"}, {}, [{"k": "a"}]]),
    ("exists looks at leaves", [{"exists": True}], [False], [None, {}, {"a": 1}, [{}], [[]]]),
    ("absent is without a leaf", [{"exists": False}], [GONE, [], {}, {"a": 1}, [[]], [{"a": 1}]],
     [None, "", 0, False, "a", [None], [{}, 1]]),
    ("anything but accepts tokens", [{"anything-but": ["a"]}], [True, None, 1], [{}, [], GONE]),
    ("numbers beyond a float", [{"numeric": [">", 5]}], [10**25], [-(10**25)]),
]  # fmt: skip

_A = MessageAttribute
ATTRIBUTES = [
    ("a Number is a number", [3], [_A("Number", "3"), _A("Number", "3.0"), _A("Number", "+3"),
     _A("Number", "30e-1"), _A("Number.int", "3"), _A("Number", "00003")],
     [_A("Number", "3.1"), _A("String", "3"), _A("Number", "three"), _A("Number", "")]),
    ("what is no number matches nothing", [{"anything-but": ["a"]}, {"exists": True},
     {"exists": False}, {"numeric": [">", -5]}, {"prefix": ""}], [_A("Number", "1")],
     [_A("Number", "1_000"), _A("Number", "NaN"), _A("Number", "Infinity"), _A("Number", "0x10"),
      _A("Number", "1e999"), _A("Number", "\u0661"), _A("Number", " 1"), _A("Number", "x")]),
    ("a String may have a label", ["a"], [_A("String", "a"), _A("String.name", "a")],
     [_A("String.name", "b"), _A("String.name", '["a"]'), _A("String.Arrays", '["a"]')]),
    ("an array may have a label", ["a"], [_A("String.Array", '["a"]'),
     _A("String.Array.tags", '["b","a"]'), _A("String.Array", ' [ "a" ] ')],
     [_A("String.Array", "[]")]),
    ("what is no array matches nothing", [{"anything-but": ["b"]}, {"exists": True},
     {"exists": False}, "a"], [_A("String.Array", '["a"]')],
     [_A("String.Array", "a"), _A("String.Array", '"a"'), _A("String.Array", "["),
      _A("String.Array", '{"a":1}'), _A("String.Array", "['a']"), _A("String.Array", ""),
      _A("String.Array", "[" * 5000), _A("String.Array", '["a",]')]),
    ("a String is not read as JSON", ["a"], ["a"], [_A("String", '"a"'), _A("String", '["a"]')]),
    ("a String is no token", [True, None], [[True]], [_A("String", "true"), _A("String", "null")]),
    ("Binary is ignored", ["a", {"exists": True}, {"anything-but": "b"}], ["a"],
     [_A("Binary", b"a"), _A("Binary.png", b"a")]),
    ("objects in an array are no leaves", ["a"], [], [_A("String.Array", '[{"k":"a"}]')]),
]  # fmt: skip

_OTHER = {"other": "x"}
# Rule; scope; policy; messages that match; messages that do not.
WHOLE = [
    ("keys are combined by AND", "message_attributes", {"a": ["1"], "b": ["2"]},
     [{"a": "1", "b": "2"}, {"a": "1", "b": "2", "c": "3"}],
     [{"a": "1"}, {"b": "2"}, {"a": "2", "b": "1"}, {"a": "1", "b": "3"}, {}]),
    ("five keys", "message_attributes", {k: [k] for k in "abcde"},
     [{k: k for k in "abcde"}], [{k: k for k in "abcd"}, {k: "a" for k in "abcde"}]),
    ("exists false", "message_attributes", {"k": [{"exists": False}]},
     [_OTHER, {"k": _A("Binary", b"x"), **_OTHER}, {"K": "x"}],
     [{}, {"k": "x"}, {"k": _A("Binary", b"x")}, {"k": _A("String.Array", "x")}, {"k": [None]}]),
    ("an empty array leaves the key without a value", "message_attributes",
     {"k": [{"exists": False}]}, [{"k": []}], [{"k": [""]}]),
    ("exists false beside another key", "message_attributes",
     {"a": [{"exists": False}], "b": ["x"]}, [{"b": "x"}, {"b": "x", "c": "y"}],
     [{"a": "x", "b": "x"}, {"b": "y"}, {}]),
    ("names are case-sensitive", "message_attributes", {"Key": ["x"]}, [{"Key": "x"}],
     [{"key": "x"}]),
    ("a dot in a name is a character", "message_attributes", {"a.b": ["x"]}, [{"a.b": "x"}],
     [{"a": "x", "b": "x"}]),
    ("$or", "message_attributes", {"$or": [{"a": ["1"]}, {"b": ["2"]}]},
     [{"a": "1"}, {"b": "2"}, {"a": "0", "b": "2"}, {"a": "1", "b": "0"}],
     [{"a": "2"}, {"b": "1"}, {"c": "1"}, {}]),
    ("$or beside a key", "message_attributes",
     {"source": ["s"], "$or": [{"a": [{"numeric": [">", 5]}]}, {"b": ["2"]}]},
     [{"source": "s", "a": 6}, {"source": "s", "b": "2"}],
     [{"source": "s"}, {"a": 6}, {"source": "t", "b": "2"}, {"source": "s", "a": 5, "b": "3"}]),
    ("a branch of several keys", "message_attributes",
     {"$or": [{"a": ["1"], "b": ["2"]}, {"c": ["3"]}]},
     [{"a": "1", "b": "2"}, {"c": "3"}, {"a": "1", "c": "3"}], [{"a": "1"}, {"b": "2"}]),
    ("$or of one key", "message_attributes", {"$or": [{"a": ["1"]}, {"a": [{"prefix": "x"}]}]},
     [{"a": "1"}, {"a": "xy"}], [{"a": "2"}, {}]),
    ("$or in $or", "message_attributes",
     {"$or": [{"a": ["1"], "$or": [{"b": ["2"]}, {"c": ["3"]}]}, {"d": ["4"]}]},
     [{"a": "1", "b": "2"}, {"a": "1", "c": "3"}, {"d": "4"}],
     [{"a": "1"}, {"b": "2"}, {"c": "3"}, {"b": "2", "c": "3"}]),
    ("$or with an absent key", "message_attributes",
     {"$or": [{"a": [{"exists": False}]}, {"b": ["2"]}]},
     [{"c": "x"}, {"a": "1", "b": "2"}], [{"a": "1"}, {}]),
    ("$or of match values is a key", "message_attributes",
     {"$or": [{"prefix": "a"}, {"suffix": "z"}]},
     [{"$or": "ab"}, {"$or": "yz"}], [{"prefix": "a"}, {"$or": "b"}]),
    ("$or of texts is a key", "message_attributes", {"$or": ["a", "b"]}, [{"$or": "a"}],
     [{"a": "a"}]),
    ("$or of one match value is a key", "message_attributes", {"$or": [{"prefix": "a"}]},
     [{"$or": "ab"}], [{"$or": "b"}]),
    ("$or with one reserved word is a key", "message_attributes",
     {"$or": [{"exists": True}, {"numeric": [">", 1]}]}, [{"$or": "x"}], [{"x": "x"}]),
    ("nested", "message_body", {"a": {"b": ["x"]}}, [{"a": {"b": "x"}}, {"a": {"b": ["y", "x"]}}],
     [{"a": "x"}, {"b": "x"}, {"a": {"c": "x"}}, {"a": {"b": {"b": "x"}}}, {"a": {"b": "y"}}, {},
      {"a.b": "x"}, {"a": None}, {"a": []}]),
    ("nested three deep", "message_body", {"a": {"b": {"c": [1]}}}, [{"a": {"b": {"c": 1}}}],
     [{"a": {"b": 1}}, {"a": {"c": 1}}, {"a": {"b": {"c": 2}}}]),
    ("keys at several levels", "message_body", {"a": {"b": ["x"], "c": [1]}, "d": [True]},
     [{"a": {"b": "x", "c": 1}, "d": True}],
     [{"a": {"b": "x", "c": 1}}, {"a": {"b": "x"}, "d": True}, {"d": True}]),
    ("arrays of objects are looked through", "message_body", {"items": {"sku": ["x"]}},
     [{"items": [{"sku": "x"}]}, {"items": [{"sku": "y"}, {"sku": "x"}]},
      {"items": [1, {"sku": "x"}]},
      {"items": [[{"sku": "x"}]]}, {"items": [{"sku": ["y", "x"]}]}],
     [{"items": [{"sku": "y"}]}, {"items": ["x"]}, {"items": []}, {"items": [{}]}]),
    ("keys beside each other want one element", "message_body", {"i": {"a": [1], "b": [2]}},
     [{"i": [{"a": 1, "b": 2}]}, {"i": [{"a": 0}, {"a": 1, "b": 2}]}, {"i": {"a": 1, "b": 2}},
      {"i": [{"a": [0, 1], "b": [2, 3]}]}],
     [{"i": [{"a": 1}, {"b": 2}]}, {"i": [{"a": 1, "b": 3}, {"a": 3, "b": 2}]}]),
    ("arrays of objects in arrays of objects", "message_body", {"a": {"b": {"c": [1], "d": [2]}}},
     [{"a": [{"b": [{"c": 0, "d": 2}, {"c": 1, "d": 2}]}]}],
     [{"a": [{"b": [{"c": 1}]}, {"b": [{"d": 2}]}]}, {"a": [{"b": [{"c": 1}, {"d": 2}]}]}]),
    ("absent where its object is absent", "message_body", {"a": {"b": [{"exists": False}]}},
     [{}, {"a": {}}, {"a": 1}, {"a": None}, {"a": []}, {"a": {"c": 1}}, {"a": [{"b": 1}, {}]}],
     [{"a": {"b": 1}}, {"a": {"b": None}}, {"a": [{"b": 1}]}]),
    ("exists is for leaves", "message_body", {"a": [{"exists": True}]}, [{"a": 1}],
     [{"a": {"b": 1}}, {}]),
    ("$or in a nested object", "message_body", {"a": {"$or": [{"b": [1]}, {"c": [2]}]}},
     [{"a": {"b": 1}}, {"a": {"c": 2}}, {"a": [{"b": 0}, {"c": 2}]}], [{"b": 1}, {"a": {"b": 2}}]),
    ("$or of nested objects", "message_body", {"$or": [{"a": {"b": [1]}}, {"c": [2]}], "d": [3]},
     [{"a": {"b": 1}, "d": 3}, {"c": 2, "d": 3}], [{"a": {"b": 1}}, {"d": 3}, {"b": 1, "d": 3}]),
    ("$or that is an object is a key", "message_body", {"$or": {"a": [1]}}, [{"$or": {"a": 1}}],
     [{"a": 1}]),
    ("a nested key may be called like an operation", "message_body", {"a": {"prefix": ["x"]}},
     [{"a": {"prefix": "x"}}], [{"a": "xy"}]),
    ("keys may be any text", "message_body", {"": {"a b": ["x"]}}, [{"": {"a b": "x"}}],
     [{"": "x"}]),
    ("an empty body is an object", "message_body", {"a": [{"exists": False}]}, [{}, "  {} "], []),
    ("a body has to be a JSON object", "message_body", {"a": [{"exists": False}]}, [{"b": 1}],
     ["[]", "null", "1", '"text"', "text", "", "{", "{'a':1}", '{"b":NaN}', '[{"b":1}]', "{}{}",
      '{"b":1,}', "\ufeff{}", '{"b":' * 5000 + "1" + "}" * 5000]),
    ("the last of two equal keys counts", "message_body", {"a": [2]}, ['{"a":1,"a":2}'],
     ['{"a":2,"a":1}']),
    ("numbers as JSON writes them", "message_body", {"a": [100]},
     ['{"a":1e2}', '{"a":100.0}', '{"a":1.0E+2}', '{"a":1000e-1}'], ['{"a":"1e2"}', '{"a":-1e2}']),
    ("what is far too large spoils nothing", "message_body", {"a": [1]},
     ['{"a":1,"b":1e999}', '{"a":1,"b":' + "9" * 5000 + "}", '{"a":1,"b":"\\ud800"}'],
     ['{"a":1e999}', '{"a":' + "9" * 5000 + "}"]),
    ("escapes are characters", "message_body", {"a": ["é\n"]}, ['{"a":"\\u00e9\\n"}'],
     ['{"a":"\\\\u00e9\\\\n"}']),
]  # fmt: skip


def _one_key(rules: list[Any], scope: str) -> list[Case]:
    found = []
    for rule, conditions, good, bad in rules:
        for expected, values in ((True, good), (False, bad)):
            for value in values:
                # Attributes need one to be compared at all.
                rest = {"other": "x"} if scope == "message_attributes" else {}
                message = rest if value is GONE else {**rest, "k": value}
                found.append(Case(rule, {"k": conditions}, scope, message, expected))
    return found


CASES = [
    *_one_key(BOTH, "message_attributes"),
    *_one_key(BOTH, "message_body"),
    *_one_key(BODY, "message_body"),
    *_one_key(ATTRIBUTES, "message_attributes"),
    *(
        Case(rule, policy, scope, message, expected)
        for rule, scope, policy, good, bad in WHOLE
        for expected, messages in ((True, good), (False, bad))
        for message in messages
    ),
]
