/** Pieces of messages: paths, quoted values that may be shown, and the nearest known word. */

/** `providers.groq.models["openai/gpt-oss-120b"].context`, `fallback_chain[0]`; empty for the whole file. */
export function formatPath(path: readonly PropertyKey[]): string {
  return path.map((part, index) => {
    if (typeof part === "number") return `[${part}]`;
    const key = String(part);
    if (/^[A-Za-z_$*][\w$-]*$/.test(key) && !looksLikeSecret(key)) return index === 0 ? key : `.${key}`;
    return `[${quote(key)}]`;
  }).join("");
}

/** The value in double quotes, shortened, or a note in its place when it may be a secret that was put there by mistake. */
export function quote(value: string): string {
  if (looksLikeSecret(value)) return "(not shown: it looks like a secret)";
  return JSON.stringify(value.length > 80 ? `${value.slice(0, 79)}…` : value);
}

/**
 * True for what may be an API key or token: a prefix the providers use, or a long unbroken run of letters and digits.
 * Guesses on the safe side: the only consequence is that the text is not repeated in a message.
 */
export function looksLikeSecret(text: string): boolean {
  if (/(^|[^A-Za-z0-9])((sk|gsk|pk|xai|hf|ghp|github_pat)[-_]|AIza|AQ\.)[A-Za-z0-9_-]{6}|\/webhooks\//.test(text)) {
    return true;
  }
  return (text.match(/[A-Za-z0-9]{20,}/g) ?? []).some((run) => /\d/.test(run) && /[A-Za-z]/.test(run));
}

/** ` Did you mean "x"?` for the first candidate one edit away (insertion, deletion, substitution, swap), else empty. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const found = candidates.find((candidate) => isOneEditAway(word.toLowerCase(), candidate.toLowerCase()));
  return found === undefined ? "" : ` Did you mean "${found}"?`;
}

function isOneEditAway(a: string, b: string): boolean {
  let start = 0;
  while (start < a.length && a[start] === b[start]) start++;
  const [restA, restB] = [a.slice(start), b.slice(start)];
  return restA.slice(1) === restB || restA === restB.slice(1) || restA.slice(1) === restB.slice(1) ||
    (restA[0] === restB[1] && restA[1] === restB[0] && restA.slice(2) === restB.slice(2));
}
