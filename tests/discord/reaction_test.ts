import assert from "node:assert/strict";
import { isReaction } from "../../src/discord/reaction.ts";

const REACTIONS: Readonly<Record<string, readonly string[]>> = {
  "words of agreement and surprise": [
    ..."ok|OK|Ok.|ok!!|okay|okey|okis|k|okkkk|vale|Vale, vale|dale|genial|¡Genial!|guay|perfecto|listo|claro".split(
      "|",
    ),
    ..."nice|cool|Great!|good|wow|wowww|omg|oof|uff|hmm|hmmmm|mm|ajá|aha|gg|rip|same|bruh|f|ya|bien".split("|"),
  ],
  "phrases": ["de acuerdo", "De acuerdo.", "ya veo", "got it", "I see!", "makes sense", "muy bien", "no way"],
  "laughter": [
    ..."lol|LOL|looool|lolol|lmao|rofl|xd|XD|xDDDD|jaja|JAJAJA|jajaja!!|jejeje|jijiji|jojojo|ajajaj|jaj|ja ja".split(
      "|",
    ),
    ..."haha|hahahah|hehehe|hihi|ha ha|kek|kkkk|jsjsjs|jajsja|jajajsj|lol xd|ok jaja 😂".split("|"),
  ],
  "emoji": ["👍", "😂😂😂", "👍🏽", "👨‍👩‍👧‍👦", "🇪🇸", "❤️", "☕", "1️⃣", "#️⃣", "🙂 🙃", "👍 ok", "😂jaja", "♥", "✅"],
  "custom emoji": ["<:pepe:123456789>", "<a:dance:123456789>", "<:a:1><:b:2>", "<:pepe:123456789> lol"],
  "faces": [
    ":)",
    ":D",
    ":-D",
    ";)",
    ":P",
    ":(",
    "<3",
    ":3",
    "^^",
    "^_^",
    "xD",
    "T_T",
    "o.O",
    "\\o/",
    "+1",
    "uwu",
    ":v",
  ],
  "signs": ["...", "!!!", "…", "-", "(!)"],
};

for (const [what, texts] of Object.entries(REACTIONS)) {
  Deno.test(`isReaction() knows ${what}`, () => {
    for (const text of texts) {
      assert.ok(isReaction(text), text);
      assert.ok(isReaction(`  ${text}\n`), `${text} with blanks around it`);
    }
  });
}

Deno.test("isReaction() takes nothing for a reaction that says or asks something", () => {
  const texts = [
    ..."ok?|¿ok?|?|??|¿?|yes|no|sí|si|nope|thanks|gracias|hola|hi|hiii|hello|why|qué|100|7|10/10|3.5|42 👍".split("|"),
    ..."ok, but why|vale pero no|lol what is that|jaja eso no es verdad|haha I agree with you|no lo veo|way".split("|"),
    ..."hijo|hija|hoja|ojo|jota|ajo|hoho's tale|hash|hashes|loss|lo|halo|the sea|has|jose|jesus|aeiou|solo".split("|"),
    ..."de acuerdo con Ana|I see a cat|<#123456789>|<@123456789>|https://example.com|東京|привет|مرحبا|x|y".split("|"),
    "",
    "  \n",
    `${"jaja ".repeat(300)}y?`,
  ];
  for (const text of texts) assert.ok(!isReaction(text), JSON.stringify(text));
});
