/** The processes that a process has started and that still run. None where the system does not tell (Linux does). */
export function childrenOf(pid: number): number[] {
  const children: number[] = [];
  for (const thread of threadsOf(pid)) { // whichever of them has started it
    try {
      const told = Deno.readTextFileSync(`/proc/${pid}/task/${thread}/children`);
      children.push(...told.split(" ").filter((id) => id !== "").map(Number));
    } catch {
      // The thread has ended since.
    }
  }
  return children;
}

function threadsOf(pid: number): string[] {
  try {
    return [...Deno.readDirSync(`/proc/${pid}/task`)].map(({ name }) => name);
  } catch {
    return []; // the process has ended, or this is no Linux
  }
}
