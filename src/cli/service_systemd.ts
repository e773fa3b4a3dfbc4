import { type ServicePlan, type ServiceUnit, startCommandOf } from "./service_plan.ts";

const FILE = "~/.config/systemd/user/django-agent.service";
const COMMANDS = [
  "systemctl --user daemon-reload",
  "systemctl --user enable --now django-agent",
  "loginctl enable-linger",
];

/**
 * A systemd user unit. It is hardened with what the manager of a user may set; Deno's sandbox does the rest. V8 makes
 * machine code as it runs, so MemoryDenyWriteExecute would end it. AF_NETLINK is for looking up names.
 */
export function describeSystemd(plan: ServicePlan): ServiceUnit {
  const { program, args, env } = startCommandOf(plan);
  const unit = `# Starts django-agent when this machine starts. Save it as
# ${FILE}
# and then:
#
${COMMANDS.map((command) => `#   ${command}`).join("\n")}
#
# The last of them has it run from boot on, and not only while you are logged in. What it says you read with
#
#   journalctl --user -u django-agent -f
${plan.start.kind === "source" ? SOURCE_NOTE : ""}
[Unit]
Description=django-agent, a private agent on this machine

[Service]
Type=exec
WorkingDirectory=${pathValue(plan.folder)}
${environment(env)}ExecStart=:${[...executable(program), ...args.map(quote)].join(" ")}
# What a restart does not mend: wrong usage (64), a missing permission (77), a wrong configuration (78).
Restart=on-failure
RestartSec=10
RestartPreventExitStatus=64 77 78
# Running answers have ten seconds to finish.
TimeoutStopSec=20
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native

[Install]
WantedBy=default.target
`;
  return { file: FILE, unit, commands: COMMANDS };
}

const SOURCE_NOTE = `#
# It starts the Deno that printed it. If you have set DENO_DIR, add it to Environment.
`;

/** The line for variables; none without any. */
function environment(env: Readonly<Record<string, string>>): string {
  const words = Object.entries(env).map(([name, value]) => quote(`${name}=${value}`));
  return words.length === 0 ? "" : `Environment=${words.join(" ")}\n`;
}

/** systemd takes no path of a program with quotes or a backslash in it; a shell does. */
function executable(path: string): string[] {
  if (!/["'\\]/.test(path)) return [quote(path)];
  return ["/bin/sh", "-c", quote('exec "$0" "$@"'), quote(path)];
}

/** A word of systemd's command lines; `:` before the command spares the `$`. See systemd.service(5), "Command lines". */
function quote(word: string): string {
  const text = word.replaceAll("%", "%%");
  return /^[\w@,.:/=+%-]+$/.test(text) ? text : `"${text.replace(/[\\"]/g, "\\$&")}"`;
}

/** A path that is a whole value is not quoted; a blank at its end would be lost, and a backslash join two lines. */
function pathValue(path: string): string {
  return path.replaceAll("%", "%%") + (/[\s\\]$/.test(path) ? "/" : "");
}
