import { escapeXml } from "./xml.ts";
import { type ServicePlan, type ServiceUnit, startCommandOf } from "./service_plan.ts";

const FILE = "~/Library/LaunchAgents/django-agent.plist";
const COMMANDS = [`launchctl bootstrap gui/$(id -u) ${FILE}`];

/** A launchd agent. launchd knows no exit code that it does not restart for: it waits a minute before each. */
export function describeLaunchd(plan: ServicePlan): ServiceUnit {
  const { program, args, env } = startCommandOf(plan);
  const unit = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!--
  Starts django-agent when you log in, again a minute after it failed. Save it as
  ${FILE}
  and then:

    ${COMMANDS.join("\n    ")}

  What it says goes to django-agent.log in its folder. To end it for good:

    launchctl bootout gui/$(id -u)/django-agent

  To have it before anybody logs in, save it as /Library/LaunchDaemons/django-agent.plist instead, owned by root, with
  a key UserName whose string is your name, and load it with: sudo launchctl bootstrap system PATH
-->
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>django-agent</string>
  <key>WorkingDirectory</key>
${string(plan.folder)}
  <key>ProgramArguments</key>
  <array>
${[program, ...args].map((word) => `  ${string(word)}`).join("\n")}
  </array>
${environment(env)}  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <dict>
    <key>SuccessfulExit</key>
    <false/>
  </dict>
  <key>ThrottleInterval</key>
  <integer>60</integer>
  <key>ExitTimeOut</key>
  <integer>20</integer>
  <key>Umask</key>
  <integer>63</integer>
  <key>StandardErrorPath</key>
${string(`${plan.folder}/django-agent.log`)}
</dict>
</plist>
`;
  return { file: FILE, unit, commands: COMMANDS };
}

function environment(env: Readonly<Record<string, string>>): string {
  const entries = Object.entries(env).map(([name, value]) => `    <key>${escapeXml(name)}</key>\n  ${string(value)}`);
  if (entries.length === 0) return "";
  return `  <key>EnvironmentVariables</key>\n  <dict>\n${entries.join("\n")}\n  </dict>\n`;
}

function string(text: string): string {
  return `  <string>${escapeXml(text)}</string>`;
}
