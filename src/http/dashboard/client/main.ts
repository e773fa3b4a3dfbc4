/// <reference lib="dom" />
/** The page: its frame, the view that the address names, and the form for a token. */
import { type ComponentChild, type ComponentType, h, render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { keepToken, watchToken } from "./api.ts";
import { Centre } from "./centre.ts";
import { Chat } from "./chat.ts";
import { Button, Select, type ViewProps } from "./elements.ts";
import { Memory } from "./memory.ts";
import { Models } from "./models.ts";
import { Privacy } from "./privacy.ts";
import { keepKnowing, useKnown } from "./store.ts";
import { Usage } from "./usage.ts";
import { chooseLanguage, type Language, LANGUAGES, preferredLanguage, type Words } from "./words.ts";

const VIEWS = { centre: Centre, models: Models, usage: Usage, chat: Chat, memory: Memory, privacy: Privacy } as const;
type ViewName = keyof typeof VIEWS;

function viewInAddress(): ViewName {
  const name = location.hash.replace(/^#\/?/, "");
  return Object.hasOwn(VIEWS, name) ? name as ViewName : "centre";
}

function Page(): ComponentChild {
  const [language, setLanguage] = useState(preferredLanguage);
  const [name, setName] = useState(viewInAddress);
  const [needsToken, setNeedsToken] = useState(false);
  const heading = useRef<HTMLHeadingElement>(null);
  const { words } = LANGUAGES[language];
  useEffect(() => {
    watchToken(() => setNeedsToken(true));
    keepKnowing();
    addEventListener("hashchange", () => {
      setName(viewInAddress());
      heading.current?.focus();
    });
  }, []);
  useEffect(() => {
    document.documentElement.lang = language;
    document.title = `${words[name]} · ${words.title}`;
  }, [language, name]);
  const View: ComponentType<ViewProps> = VIEWS[name];
  return h(
    "div",
    { class: "page" },
    h("a", { class: "skip", href: "#content", onClick: focusOn(heading) }, words.skip),
    h(Head, { words, language, current: name, onLanguage: setLanguage }),
    h(
      "main",
      { id: "content" },
      h("h1", { ref: heading, tabIndex: -1 }, words[name]),
      needsToken ? h(TokenForm, { words }) : h(View, { words, language }),
    ),
  );
}

/** The address stays that of the view. */
function focusOn(target: { readonly current: HTMLElement | null }): (event: Event) => void {
  return (event) => {
    event.preventDefault();
    target.current?.focus();
  };
}

interface HeadProps {
  readonly words: Words;
  readonly language: Language;
  readonly current: ViewName;
  readonly onLanguage: (language: Language) => void;
}

function Head({ words, language, current, onLanguage }: HeadProps): ComponentChild {
  const { isLive, health } = useKnown();
  return h(
    "header",
    null,
    health?.banner && h("p", { class: "banner" }, health.banner),
    h(
      "div",
      { class: "bar" },
      h("strong", { class: "brand" }, words.title),
      h(
        "nav",
        { "aria-label": words.views },
        Object.keys(VIEWS).map((name) =>
          h(
            "a",
            { key: name, href: `#/${name}`, "aria-current": name === current ? "page" : undefined },
            words[name as ViewName],
          )
        ),
      ),
      h("span", { class: isLive ? "live" : "live off", role: "status" }, isLive ? words.live : words.notLive),
      h(Select, {
        label: words.language,
        value: language,
        choices: Object.entries(LANGUAGES).map(([value, { name }]) => ({ value, text: name })),
        onChange: (value) => {
          chooseLanguage(value as Language);
          onLanguage(value as Language);
        },
      }),
    ),
  );
}

/** Asks for the token once; the page begins anew with it. */
function TokenForm({ words }: { readonly words: Words }): ComponentChild {
  const field = useRef<HTMLInputElement>(null);
  const wasWrong = sessionStorage.length > 0;
  return h(
    "form",
    {
      class: "card stack",
      onSubmit: (event: Event) => {
        event.preventDefault();
        keepToken(field.current?.value.trim() ?? "");
        location.reload();
      },
    },
    h("h2", null, words.tokenTitle),
    wasWrong && h("p", { class: "notice bad", role: "alert" }, words.tokenWrong),
    h(
      "label",
      { class: "field" },
      h("span", null, words.tokenLabel),
      h("input", { ref: field, type: "password", autoComplete: "off", required: true }),
    ),
    h("p", null, words.tokenHint),
    h(Button, { label: words.enter, type: "submit" }),
  );
}

const place = document.getElementById("page");
if (place) render(h(Page, null), place);
