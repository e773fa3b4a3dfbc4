import { isLoopbackOrPrivate } from "../core/address.ts";

/** Why an address cannot be used; never repeats credentials or a query. */
export interface UrlProblem {
  readonly message: string;
  readonly remedy: string;
}

/**
 * Checks where a provider listens: `http` or `https`, host and port only. A local provider must be on this machine or
 * network; any other needs `https` unless it is. `carries` is what would go there, for messages. Returns undefined when all is well.
 */
export function checkBaseUrl(
  value: string,
  { local, carries = "Your key and prompts" }: { readonly local: boolean; readonly carries?: string },
): UrlProblem | undefined {
  const example = local ? "http://127.0.0.1:11434" : "https://api.example.com";
  const url = URL.parse(value);
  if (!url) return { message: "This is not an address", remedy: `Write scheme, host and port, like ${example}.` };
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    return { message: `The scheme ${url.protocol}// is not spoken here`, remedy: `Write an address like ${example}.` };
  }
  if (url.username || url.password) {
    return {
      message: "The address holds a user name or password",
      remedy: "Remove them: a secret has no place in an address.",
    };
  }
  if (!/^https?:\/\/[^/\\\s]+\/?(?=$|[/?#])/i.test(value)) {
    return { message: "This is not written as an address is", remedy: `Write scheme, host and port, like ${example}.` };
  }
  if (url.port === "0") return { message: "Nothing can listen on port 0", remedy: `Write an address like ${example}.` };
  if (url.hostname.endsWith(".")) {
    return { message: "A name with a dot at its end may lead anywhere", remedy: `Write an address like ${example}.` };
  }
  if (url.pathname !== "/" || value.includes("?") || value.includes("#")) {
    return {
      message: "The address goes on after host and port",
      remedy: `Write ${url.origin} only; the paths are known.`,
    };
  }
  return checkReach(url, local, carries);
}

function checkReach(url: URL, local: boolean, carries: string): UrlProblem | undefined {
  if (isLoopbackOrPrivate(url.hostname)) return undefined;
  if (local) {
    return {
      message: `${url.host} is neither this machine nor on the local network`,
      remedy:
        "Use an address of this machine or a private network, like http://127.0.0.1:11434 or http://192.168.1.20:11434.",
    };
  }
  if (url.protocol === "https:") return undefined;
  return {
    message: `${carries} would go to ${url.host} unencrypted`,
    remedy: `Write https://${url.host} instead.`,
  };
}
