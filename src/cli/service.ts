import { choice, createCommand, flag } from "./command.ts";
import { tell, writeJson, writeOut } from "./output.ts";
import { describeLaunchd } from "./service_launchd.ts";
import { noteOnDeno, planService, type ServicePlan, type ServiceUnit } from "./service_plan.ts";
import { describeSystemd } from "./service_systemd.ts";
import { describeWindows } from "./service_windows.ts";

const SYSTEMS = ["linux", "macos", "windows"] as const;
type System = typeof SYSTEMS[number];

const DESCRIBE: Readonly<Record<System, (plan: ServicePlan) => ServiceUnit>> = {
  linux: describeSystemd,
  macos: describeLaunchd,
  windows: describeWindows,
};

interface ServiceOptions {
  readonly system?: System;
  readonly json?: true;
}

/** `service`: what starts the program at boot. It writes no file: what starts by itself is a person's decision. */
export const service = createCommand<ServiceOptions>({
  brief: "Print what starts `serve` in this folder at boot: a systemd user unit, a launchd agent or a scheduled task",
  options: {
    system: choice("<name>", "print it for another system; the paths stay those of this one", SYSTEMS),
    json: flag("print it as JSON, with where it belongs and how it is installed"),
  },
  notes:
    "What has to be done with it stands at its top. --config, --data and --cloud become part of it; address, port and\n" +
    "profile are those of models.json, secrets those of .env.",
  examples: [
    "django-agent service > ~/.config/systemd/user/django-agent.service",
    "django-agent service --cloud --system macos",
  ],
  run({ options }, { system = thisSystem(), json }) {
    const plan = planService(options);
    const described = DESCRIBE[system](plan);
    if (plan.start.kind === "source") {
      for (const line of noteOnDeno(plan.start.deno)) tell(line);
    }
    if (json) writeJson({ system, ...described });
    else writeOut(described.unit);
    return Promise.resolve();
  },
});

function thisSystem(): System {
  if (Deno.build.os === "windows") return "windows";
  return Deno.build.os === "darwin" ? "macos" : "linux";
}
