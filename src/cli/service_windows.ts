import { AgentError, EXIT } from "../core/errors.ts";
import type { ServicePlan, ServiceUnit } from "./service_plan.ts";
import { escapeXml } from "./xml.ts";

const FILE = "django-agent.xml";
const COMMANDS = [`Register-ScheduledTask -TaskName django-agent -Xml (Get-Content -Raw ${FILE})`];

/**
 * A task of the Task Scheduler. A task can set no variables, so from source it is `deno task` that starts the program.
 * The XML names no encoding, as PowerShell and schtasks each want another one; it is ASCII.
 * @throws AgentError (exit 65) for a path in which Windows would replace a variable: there is no way to escape one
 */
export function describeWindows({ folder, args, binary, source }: ServicePlan): ServiceUnit {
  const words = binary === undefined ? ["task", "-q", "start", ...args.slice(1)] : args;
  const program = binary ?? source.deno;
  for (const text of [folder, program, ...words]) refuseVariable(text);
  const unit = `<?xml version="1.0"?>
<!--
  Starts django-agent when this machine starts, again a minute after it failed. Save it as ${FILE}
  and then, in a PowerShell that you started as administrator:

    ${COMMANDS.join("\n    ")}
    Start-ScheduledTask django-agent

  To be rid of it: Unregister-ScheduledTask django-agent
-->
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>django-agent, a private agent on this machine</Description>
  </RegistrationInfo>
  <Triggers>
    <BootTrigger>
      <Enabled>true</Enabled>
    </BootTrigger>
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
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>255</Count>
    </RestartOnFailure>
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
