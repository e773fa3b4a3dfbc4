/// <reference lib="dom" />
import { type ComponentChild, h } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ApiFailure, ask } from "./api.ts";
import type { Change, ModelsConfig, Reload, RouterStatus, TestResult } from "./api_types.ts";
import {
  Button,
  Card,
  failureOf,
  LaneReason,
  Led,
  Notice,
  type Outcome,
  Select,
  stateOf,
  Table,
  type ViewProps,
} from "./elements.ts";
import { refresh, useKnown } from "./store.ts";
import type { Words } from "./words.ts";

/** The model manager. */
export function Models({ words }: ViewProps): ComponentChild {
  const { router } = useKnown();
  const [config, setConfig] = useState<ModelsConfig>();
  const [outcome, setOutcome] = useState<Outcome>();
  const load = async () => setConfig(await ask<ModelsConfig>("GET", "/api/models/config"));
  useEffect(() => void load().catch((error) => setOutcome(failureOf(error))), [router?.profile]);
  /** Does something, and says what came of it. */
  const act = async (work: () => Promise<string>) => {
    setOutcome(undefined);
    try {
      setOutcome({ kind: "ok", text: await work() });
    } catch (error) {
      setOutcome(problemsOf(error));
    }
    await Promise.all([load(), refresh()]).catch(() => {}); // the notice says enough
  };
  if (!config || !router) return h("p", null, words.loading, h(Notice, { outcome }));
  return h(
    "div",
    { class: "stack" },
    h(Notice, { outcome }),
    h(ProfileSwitch, { config, router, words, act }),
    h(ModelTable, { config, router, words }),
    h(RoleSelects, { config, router, words, act }),
    h(
      Card,
      { title: words.source },
      h("p", null, config.source),
      h(Button, {
        label: words.reload,
        onClick: () =>
          void act(async () => {
            const { changes } = await ask<Reload>("POST", "/api/router/reload");
            return [words.reloaded, ...(changes.length > 0 ? changes : [words.noChanges])].join(" ");
          }),
      }),
    ),
  );
}

interface PartProps {
  readonly config: ModelsConfig;
  readonly router: RouterStatus;
  readonly words: Words;
}

type Act = (work: () => Promise<string>) => Promise<void>;

function ProfileSwitch({ config, router, words, act }: PartProps & { readonly act: Act }): ComponentChild {
  const [chosen, setChosen] = useState(config.profile);
  const clouds = config.profiles.find(({ name }) => name === chosen)?.cloud_models ?? [];
  const isForbidden = router.sealed && clouds.length > 0;
  return h(
    Card,
    { title: words.profile },
    h(
      "form",
      {
        class: "line",
        onSubmit: (event: Event) => {
          event.preventDefault();
          void act(async () => {
            const { changes } = await ask<Change>("PUT", "/api/models/profile", { body: { profile: chosen } });
            return [words.changed, ...changes].join(" ");
          });
        },
      },
      h(Select, {
        label: words.profile,
        value: chosen,
        choices: config.profiles.map(({ name }) => ({ value: name, text: name })),
        onChange: setChosen,
      }),
      h(Button, { label: words.apply, type: "submit" }),
    ),
    isForbidden && h("p", { class: "notice bad" }, words.needsCloud(clouds.join(", "))),
  );
}

type Model = ModelsConfig["models"][number];

function ModelTable({ config, router, words }: PartProps): ComponentChild {
  const placeOf = ({ ref }: Model) => router.chain.indexOf(ref) + 1 || "–";
  const lane = ({ provider }: Model) => router.providers[provider];
  return h(Table<Model>, {
    caption: words.models,
    rows: config.models,
    keyOf: ({ ref }) => ref,
    columns: [
      { title: words.model, of: ({ ref }) => ref },
      { title: words.position, isNumber: true, of: placeOf },
      {
        title: words.breaker,
        of: (model) => {
          const found = lane(model);
          return found &&
            h(
              "span",
              { class: "row" },
              h(Led, { state: stateOf(found), words }),
              h(LaneReason, { lane: found, words }),
            );
        },
      },
      { title: words.context, isNumber: true, of: ({ context }) => context },
      {
        title: words.price,
        of: ({ usd_per_million: usd }) =>
          usd === null
            ? words.unknownPrice
            : usd.input + usd.output === 0
            ? words.free
            : `${usd.input} / ${usd.output}`,
      },
      { title: words.test, of: (model) => h(TestButton, { model, words }) },
    ],
  });
}

function TestButton(
  { model: { ref, provider, embeddings }, words }: { readonly model: Model; readonly words: Words },
): ComponentChild {
  const [isBusy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<Outcome>();
  if (embeddings) return null;
  const test = async () => {
    setBusy(true);
    try {
      const body = { provider, model: ref.slice(provider.length + 1) };
      const { ok, latency_ms, error } = await ask<TestResult>("POST", "/api/models/test", { body });
      setOutcome(
        ok ? { kind: "ok", text: words.testOk(Math.round(latency_ms ?? 0)) } : { kind: "bad", text: error ?? "" },
      );
    } catch (error) {
      setOutcome(failureOf(error));
    }
    setBusy(false);
  };
  return h(
    "span",
    { class: "row" },
    h(Button, { label: isBusy ? words.testing : words.test, about: ref, isBusy, onClick: () => void test() }),
    h(Notice, { outcome }),
  );
}

function RoleSelects({ config, router, words, act }: PartProps & { readonly act: Act }): ComponentChild {
  const assign = (role: string, model: string) =>
    act(async () => {
      const { changes } = await ask<Change>("PUT", "/api/models/assignment", { body: { agent_role: role, model } });
      return [words.changed, ...changes].join(" ");
    });
  return h(
    Card,
    { title: words.roles },
    h(
      "div",
      { class: "fields" },
      Object.entries(router.roles).map(([role, model]) =>
        h(Select, {
          key: role,
          label: role,
          value: model ?? "",
          choices: [
            ...(model === null ? [{ value: "", text: "–" }] : []),
            ...config.models.filter(({ embeddings }) => embeddings === (role === "embeddings"))
              .map(({ ref }) => ({ value: ref, text: ref })),
          ],
          onChange: (chosen) => void assign(role, chosen),
        })
      ),
    ),
  );
}

/** All that is wrong with models.json, where that is it. */
function problemsOf(error: unknown): Outcome {
  if (!(error instanceof ApiFailure) || error.problems.length === 0) return failureOf(error);
  return { kind: "bad", text: error.problems.join("\n") };
}
