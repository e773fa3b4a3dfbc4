import { AgentError, EXIT } from "../core/errors.ts";
import type { ServicePlan, ServiceUnit } from "./service_plan.ts";
import { escapeXml } from "./xml.ts";

const FILE = "django-agent.xml";
const COMMANDS = [`Register-ScheduledTask -TaskName django-agent -Xml (Get-Content -Raw ${FILE})`];

/**
 * A task of the Task Scheduler. Its RestartOnFailure is for an action that could not be started ([MS-TSCH], 2.5.4.2),
 * and a program that failed is none: so a second trigger starts it every minute, to no effect while it runs. Its
 * elements stand in the order in which Windows exports them. A task can set no variables, so from source it is `deno task` that starts the program.
 * The XML names no encoding, as PowerShell and schtasks each want another one; it is ASCII.
 * @throws AgentError (exit 65) for a path in which Windows would replace a variable: there is no way to escape one
 */
export function describeWindows({ folder, options, start }: ServicePlan): ServiceUnit {
  const [program, words] = start.kind === "binary"
    ? [start.program, ["serve", ...options]]
    : [start.deno, ["task", "-q", "start", ...options]];
  for (const text of [folder, program, ...words]) refuseVariable(text);
  const unit = `<?xml version="1.0"?>
<!--
  Starts django-agent when this machine starts, and again within a minute whenever it has ended. Save it as
  ${FILE}
  and then, in a PowerShell that you started as administrator:

    ${COMMANDS.join("\n    ")}
    Start-ScheduledTask django-agent

  Stopped alone, it is back within a minute. To end it for good, in this order:

    Disable-ScheduledTask django-agent
    Stop-ScheduledTask django-agent

  Enable-ScheduledTask django-agent brings it back; Unregister-ScheduledTask django-agent removes it.
-->
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>django-agent, a private agent on this machine</Description>
  </RegistrationInfo>
  <Triggers>
    <BootTrigger>
      <Enabled>true</Enabled>
    </BootTrigger>
    <TimeTrigger>
      <Repetition>
        <Interval>PT1M</Interval>
      </Repetition>
      <StartBoundary>2000-01-01T00:00:00</StartBoundary>
      <Enabled>true</Enabled>
    </TimeTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <LogonType>S4U</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>${escapeXml(program)}</Command>
      <Arguments>${escapeXml(words.map(quote).join(" "))}</Arguments>
      <WorkingDirectory>${escapeXml(folder)}</WorkingDirectory>
    </Exec>
  </Actions>
</Task>
`;
  return { file: FILE, unit, commands: COMMANDS };
}

/** A word of a command line as `CommandLineToArgvW` of Windows reads it. */
function quote(word: string): string {
  if (/^[^\s"]+$/.test(word)) return word;
  return `"${word.replace(/(\\*)"/g, '$1$1\\"').replace(/\\+$/, "$&$&")}"`;
}

function refuseVariable(text: string): void {
  if (!/%[^%]+%/.test(text)) return;
  throw new AgentError(`Windows would take a part of ${text} for a variable`, {
    exitCode: EXIT.data,
    remedy: "Give the folder or file a name without %.",
  });
}
