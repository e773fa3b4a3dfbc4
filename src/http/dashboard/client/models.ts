/// <reference lib="dom" />
import { type ComponentChild, h } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Api } from "./api.ts";
import type { Change, ModelsConfig, Reload, RouterStatus, TestResult } from "./api_types.ts";
import {
  Button,
  Card,
  failureOf,
  formatNumber,
  LaneReason,
  Led,
  Notice,
  type Outcome,
  Select,
  Table,
  useAct,
  type ViewProps,
  type Work,
} from "./elements.ts";
import { useValue } from "./observable.ts";
import type { Language, Words } from "./words.ts";

/** The model manager. */
export function Models({ words, language, api, knowledge }: ViewProps): ComponentChild {
  const { router, reloads } = useValue(knowledge.known);
  const [config, setConfig] = useState<ModelsConfig>();
  const [failure, setFailure] = useState<Outcome>();
  const looks = useRef(0);
  const load = async () => {
    const look = ++looks.current;
    const found = await api.ask<ModelsConfig>("GET", "/api/models/config");
    if (look === looks.current) setConfig(found); // a later one knows better
  };
  useEffect(() => void load().then(() => setFailure(undefined), (error) => setFailure(failureOf(error))), [reloads]);
  if (!config || !router) return h("p", null, words.loading, h(Notice, { outcome: failure }));
  const after = () => Promise.all([load(), knowledge.refresh()]).then(() => {}, () => {}); // its notice says enough
  const part = { config, router, words, language, api, after };
  return h(
    "div",
    { class: "stack" },
    h(ProfileSwitch, part),
    h(ModelTable, part),
    h(RoleSelects, part),
    h(Source, part),
  );
}

interface PartProps {
  readonly config: ModelsConfig;
  readonly router: RouterStatus;
  readonly words: Words;
  readonly language: Language;
  readonly api: Api;
  /** Asks for everything anew. */
  readonly after: () => Promise<void>;
}

/** An action, after which everything is asked for anew. */
function useChange({ after }: Pick<PartProps, "after">) {
  const { outcome, isBusy, act } = useAct();
  return { outcome, isBusy, act: (work: Work) => act(work).finally(() => void after()) };
}

function ProfileSwitch(props: PartProps): ComponentChild {
  const { config, router, words, api } = props;
  const { outcome, isBusy, act } = useChange(props);
  const [chosen, setChosen] = useState(config.profile);
  useEffect(() => setChosen(config.profile), [config.profile]);
  const clouds = config.profiles.find(({ name }) => name === chosen)?.cloud_models ?? [];
  const isForbidden = router.sealed && clouds.length > 0;
  const submit = (event: Event) => {
    event.preventDefault();
    if (isForbidden) return; // what stands below says why
    void act(async () => {
      const { changes } = await api.ask<Change>("PUT", "/api/models/profile", { body: { profile: chosen } });
      return [words.changed, ...changes].join(" ");
    }).then((isDone) => isDone || setChosen(config.profile));
  };
  return h(
    Card,
    { title: words.profile },
    h("p", null, `${words.active}: `, h("strong", null, router.profile)),
    h(
      "form",
      { class: "line", onSubmit: submit },
      h(Select, {
        label: words.profile,
        value: chosen,
        choices: config.profiles.map(({ name }) => ({ value: name, text: name })),
        onChange: setChosen,
      }),
      h(Button, { label: words.apply, type: "submit", isBusy }),
    ),
    h("p", { class: "notice bad", role: "status" }, isForbidden ? words.needsCloud(clouds.join(", ")) : ""),
    h(Notice, { outcome }),
  );
}

type Model = ModelsConfig["models"][number];

function ModelTable({ config, router, words, language, api }: PartProps): ComponentChild {
  const [tested, setTested] = useState("");
  return h(
    "div",
    null,
    h("p", { class: "unseen", role: "status" }, tested),
    h(Table<Model>, {
      caption: words.models,
      rows: config.models,
      keyOf: ({ ref }) => ref,
      columns: [
        { title: words.model, of: ({ ref }) => ref },
        { title: words.position, isNumber: true, of: ({ ref }) => router.chain.indexOf(ref) + 1 || "–" },
        {
          title: words.breaker,
          of: ({ provider }) => {
            const lane = router.providers[provider];
            return lane && h("span", { class: "row" }, h(Led, { lane, words }), h(LaneReason, { lane, words }));
          },
        },
        { title: words.context, isNumber: true, of: ({ context }) => formatNumber(context, language) },
        { title: words.price, of: ({ usd_per_million }) => describePrice(usd_per_million, words) },
        {
          title: words.test,
          of: (model) => !model.embeddings && h(TestButton, { model, words, api, tell: setTested }),
        },
      ],
    }),
  );
}

function describePrice(usd: Model["usd_per_million"], words: Words): string {
  if (usd === null) return words.unknownPrice;
  return usd.input + usd.output === 0 ? words.free : `${usd.input} / ${usd.output}`;
}

interface TestProps {
  readonly model: Model;
  readonly words: Words;
  readonly api: Api;
  /** Has it read aloud, once for the whole table. */
  readonly tell: (text: string) => void;
}

function TestButton({ model: { ref, provider }, words, api, tell }: TestProps): ComponentChild {
  const [isBusy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<Outcome>();
  const test = async () => {
    setBusy(true);
    const result = await testModel(api, provider, ref.slice(provider.length + 1), words).catch(failureOf);
    setBusy(false);
    setOutcome(result);
    tell(`${ref}: ${result.text}`);
  };
  const { kind = "", text, lang } = outcome ?? {};
  return h(
    "span",
    { class: "row" },
    h(Button, { label: isBusy ? words.testing : words.test, about: ref, isBusy, onClick: () => void test() }),
    h("span", { class: `notice ${kind}`, ...(lang && { lang }) }, text),
  );
}

async function testModel(api: Api, provider: string, model: string, words: Words): Promise<Outcome> {
  const { ok, latency_ms, error } = await api.ask<TestResult>("POST", "/api/models/test", {
    body: { provider, model },
  });
  if (!ok) return { kind: "bad", text: error ?? "", lang: "en" };
  return { kind: "ok", text: words.testOk(Math.round(latency_ms ?? 0)) };
}

function RoleSelects(props: PartProps): ComponentChild {
  const { config, router, words, api } = props;
  const { outcome, isBusy, act } = useChange(props);
  const [chosen, setChosen] = useState<Readonly<Record<string, string>>>({});
  useEffect(() => setChosen({}), [JSON.stringify(router.roles)]);
  const wanted = Object.entries(chosen).filter(([role, model]) => router.roles[role] !== model);
  const submit = (event: Event) => {
    event.preventDefault();
    void act(async () => {
      const done: string[] = [];
      for (const [agent_role, model] of wanted) {
        const { changes } = await api.ask<Change>("PUT", "/api/models/assignment", { body: { agent_role, model } });
        done.push(...changes);
      }
      return [words.changed, ...done].join(" ");
    });
  };
  const choicesOf = (role: string) => {
    const fitting = config.models.filter(({ embeddings }) => embeddings === (role === "embeddings"));
    const none = router.roles[role] === null ? [{ value: "", text: "–" }] : [];
    return [...none, ...fitting.map(({ ref }) => ({ value: ref, text: ref }))];
  };
  const selects = Object.entries(router.roles).map(([role, model]) =>
    h(Select, {
      key: role,
      label: role,
      value: chosen[role] ?? model ?? "",
      choices: choicesOf(role),
      onChange: (value) => setChosen((before) => ({ ...before, [role]: value })), // two may come before it is drawn anew
    })
  );
  return h(
    Card,
    { title: words.roles },
    h(
      "form",
      { class: "stack", onSubmit: submit },
      h("div", { class: "fields" }, selects),
      h(Button, { label: words.applyRoles, type: "submit", isBusy: isBusy || wanted.length === 0 }),
    ),
    h(Notice, { outcome }),
  );
}

function Source(props: PartProps): ComponentChild {
  const { config, words, api } = props;
  const { outcome, isBusy, act } = useChange(props);
  const reload = () =>
    act(async () => {
      const { changes } = await api.ask<Reload>("POST", "/api/router/reload");
      return [words.reloaded, ...(changes.length > 0 ? changes : [words.noChanges])].join(" ");
    });
  return h(
    Card,
    { title: words.source },
    h("p", null, config.source),
    h(Button, { label: words.reload, isBusy, onClick: () => void reload() }),
    h(Notice, { outcome }),
  );
}
