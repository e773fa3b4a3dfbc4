/// <reference lib="dom" />
/** The page: its frame, the view that the address names, and the form for a token. */
import { Component, type ComponentChild, type ComponentChildren, type ComponentType, h, render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Api } from "./api.ts";
import { Centre } from "./centre.ts";
import { Chat } from "./chat.ts";
import { Conversation } from "./conversation.ts";
import { Button, formatTime, type Lesson, Select, type ViewProps } from "./elements.ts";
import { Knowledge } from "./knowledge.ts";
import { Memory } from "./memory.ts";
import { Models } from "./models.ts";
import { Observable, useValue } from "./observable.ts";
import { Privacy } from "./privacy.ts";
import { Usage } from "./usage.ts";
import { chooseLanguage, type Language, LANGUAGES, preferredLanguage, type Words } from "./words.ts";

const VIEWS = { centre: Centre, models: Models, usage: Usage, chat: Chat, memory: Memory, privacy: Privacy } as const;
type ViewName = keyof typeof VIEWS;

function viewInAddress(): ViewName {
  const name = location.hash.replace(/^#\/?/, "");
  return Object.hasOwn(VIEWS, name) ? name as ViewName : "centre";
}

type PageProps = Pick<ViewProps, "api" | "knowledge" | "conversation" | "lesson">;

function Page({ api, knowledge, conversation, lesson }: PageProps): ComponentChild {
  const [language, setLanguage] = useState(preferredLanguage);
  const token = useValue(api.token);
  const needsToken = token === "missing" || token === "wrong";
  const { name, heading } = useView(needsToken);
  const { words } = LANGUAGES[language];
  useEffect(() => {
    document.documentElement.lang = language;
    document.title = `${words[name]} · ${words.title}`;
  }, [language, name]);
  const View: ComponentType<ViewProps> = VIEWS[name];
  return h(
    "div",
    { class: "page" },
    h("a", { class: "skip", href: "#content", onClick: focusOn(heading) }, words.skip),
    h(Head, { words, language, current: name, onLanguage: setLanguage, knowledge }),
    h(
      "main",
      { id: "content" },
      h(Standing, { words, language, knowledge }),
      h("h1", { ref: heading, tabIndex: -1 }, words[name]),
      needsToken && h(TokenForm, { words, api, isWrong: token === "wrong" }),
      h(
        "div",
        { hidden: needsToken },
        h(Guarded, { key: name, words }, h(View, { words, language, api, knowledge, conversation, lesson })),
      ),
    ),
  );
}

/** The view that the address names, and its heading, which has the focus once the view has changed or come back. */
function useView(isAway: boolean) {
  const [name, setName] = useState(viewInAddress);
  const heading = useRef<HTMLHeadingElement>(null);
  const isFirst = useRef(true);
  useEffect(() => {
    const follow = () => setName(viewInAddress());
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  useEffect(() => {
    if (!isFirst.current && !isAway) heading.current?.focus();
    isFirst.current = false;
  }, [name, isAway]);
  return { name, heading };
}

/** The address stays that of the view. */
function focusOn(target: { readonly current: HTMLElement | null }): (event: Event) => void {
  return (event) => {
    event.preventDefault();
    target.current?.focus();
  };
}

interface HeadProps extends Pick<ViewProps, "words" | "language" | "knowledge"> {
  readonly current: ViewName;
  readonly onLanguage: (language: Language) => void;
}

function Head({ words, language, current, onLanguage, knowledge }: HeadProps): ComponentChild {
  const { isLive, health } = useValue(knowledge.known);
  const names = Object.keys(VIEWS) as ViewName[];
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
        names.map((name) =>
          h("a", { key: name, href: `#/${name}`, "aria-current": name === current ? "page" : undefined }, words[name])
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

/** Says when what is shown is no longer what is: the program is away, or has another version than this page. */
function Standing({ words, language, knowledge }: Pick<ViewProps, "words" | "language" | "knowledge">): ComponentChild {
  const { isLive, isFresh, atMs, health } = useValue(knowledge.known);
  const first = useRef<string>();
  first.current ??= health?.version;
  if (health && health.version !== first.current) {
    return h(
      "p",
      { class: "notice bad" },
      `${words.newVersion} `,
      h(Button, { label: words.reloadPage, onClick: () => location.reload() }),
    );
  }
  if (isFresh && (isLive || atMs === 0)) return null;
  return h("p", { class: "notice bad" }, atMs > 0 ? words.asOf(formatTime(atMs, language)) : words.noAnswer);
}

interface TokenProps {
  readonly words: Words;
  readonly api: Api;
  readonly isWrong: boolean;
}

/** Asks for the token; with it the view comes back as it was left. */
function TokenForm({ words, api, isWrong }: TokenProps): ComponentChild {
  const field = useRef<HTMLInputElement>(null);
  const [isUnusable, setUnusable] = useState(false);
  useEffect(() => field.current?.focus(), []);
  const problem = isUnusable ? words.tokenUnusable : isWrong ? words.tokenWrong : "";
  return h(
    "form",
    {
      class: "card stack",
      onSubmit: (event: Event) => {
        event.preventDefault();
        setUnusable(!api.keepToken(field.current?.value.trim() ?? ""));
      },
    },
    h("h2", null, words.tokenTitle),
    h("p", { class: "notice bad", role: "alert" }, problem),
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

interface GuardedProps {
  readonly words: Words;
  readonly children?: ComponentChildren;
}

/** Keeps a fault of one view from taking the whole page along. */
class Guarded extends Component<GuardedProps, { readonly hasFailed: boolean }> {
  override state = { hasFailed: false };

  override componentDidCatch(error: unknown): void {
    this.setState({ hasFailed: true });
    reportError(error);
  }

  override render({ words, children }: GuardedProps): ComponentChildren {
    if (!this.state.hasFailed) return children;
    const again = () => this.setState({ hasFailed: false });
    return h(
      "p",
      { class: "notice bad" },
      `${words.failedHere} `,
      h(Button, { label: words.tryAgain, onClick: again }),
    );
  }
}

const place = document.getElementById("page");
if (place) {
  const api = new Api();
  const knowledge = new Knowledge(api);
  knowledge.start();
  const lesson = new Observable<Lesson>({ content: "", source: "" });
  render(h(Page, { api, knowledge, conversation: new Conversation(api), lesson }), place);
}
