from collections import Counter

import wit_world
from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.count import Tally


class Count(exports.Count):
    def tally_words(self, text):
        return [Tally(word=word, count=count) for word, count in Counter(text.split()).items()]

    def halve(self, number):
        if number % 2:
            raise Err(f"{number} is odd")
        return number // 2


class WitWorld(wit_world.WitWorld):
    def shout(self, text, times):
        return text.upper() * (1 if times is None else times)
