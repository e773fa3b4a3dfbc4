import { NoAnswerError } from "../core/errors.ts";
import type { Message, ModelResponse, Role } from "../core/types.ts";
import { type Candidate, planChat } from "../router/chain.ts";
import type { RouterSnapshot } from "../router/snapshot.ts";
import { fitPrompt, layOut, type PromptParts } from "./prompt.ts";
import { lettersFor, lettersOf, TokenRatios } from "./window.ts";

/** Share of a prompt that rules and history may take up, so that there is room for a message and its notes. */
const HISTORY_SHARE = 0.75;
/** An estimate that was wrong once is not trusted to the last token a second time. */
const SECOND_TRY = 0.7;
/**
 * Tokens that a picture takes of the window, about. Sources: 258 a tile, says Google's documentation of Gemini; 24 × 24
 * patches of LLaVA 1.5 are 576.
 */
const IMAGE_TOKENS = 800;

/** Makes of a prompt what the models that may answer can take. */
export class Drafts {
  readonly #snapshot: () => RouterSnapshot;
  readonly #ratios = new TokenRatios();

  constructor(snapshot: () => RouterSnapshot) {
    this.#snapshot = snapshot;
  }

  /**
   * What to ask with, in this order, when one comes to nothing: as the first choice can take it and, where that is
   * shorter, every model; with pictures if the first choice sees any, and without.
   */
  of(parts: PromptParts, role: Role): PromptParts[] {
    const candidates = this.#candidates(role);
    const { images, notes } = parts;
    const bare = { ...parts, images: [], notes: { ...notes, unseen: images.length } };
    const withoutImages = fit(bare, this.#limits(bare, candidates));
    if (images.length === 0 || !candidates[0]?.sees) return withoutImages;
    const seeing = candidates.filter(({ sees }) => sees);
    return [...fit(parts, this.#limits(parts, seeing)), ...withoutImages];
  }

  /** How many messages of the history leave room for what comes beside it. */
  lastingHistory(parts: PromptParts, role: Role): number {
    const { first } = this.#limits(parts, this.#candidates(role));
    return fitPrompt(parts, first * HISTORY_SHARE).history.length;
  }

  /** Learns from what a provider counted. */
  learn({ provider, model, usage }: ModelResponse, messages: readonly Message[]): void {
    this.#ratios.learn(`${provider}/${model}`, messages, usage);
  }

  #candidates(role: Role): Candidate[] {
    const { models, profile } = this.#snapshot();
    return planChat(models, profile, role);
  }

  /** Letters that a prompt may have for the first choice, and for the smallest window of all that may answer. */
  #limits({ history, images }: PromptParts, candidates: readonly Candidate[]): Limits {
    const least = Math.min(...candidates.map(({ contextTokens }) => contextTokens)) * SECOND_TRY;
    const { ref = "", contextTokens = least } = candidates[0] ?? {};
    const taken = images.length * IMAGE_TOKENS;
    const letters = (window: number) => lettersFor(window - taken, this.#ratios.of(ref), history.length + 2);
    return { first: letters(contextTokens), smallest: letters(least) };
  }
}

interface Limits {
  readonly first: number;
  readonly smallest: number;
}

function fit(parts: PromptParts, letters: Limits): PromptParts[] {
  const [first, second] = [fitPrompt(parts, letters.first), fitPrompt(parts, letters.smallest)];
  const shorter = second !== parts && lettersOf(layOut(second)) < lettersOf(layOut(first));
  return shorter ? [first, second] : [first];
}

/**
 * The draft to ask with next, after one that came to nothing: a shorter one when it was too long, one without pictures
 * whatever it was that those who see had to say. Undefined when no other would do better.
 */
export function nextDraft(
  drafts: readonly PromptParts[],
  failed: PromptParts,
  error: unknown,
): PromptParts | undefined {
  if (!(error instanceof NoAnswerError) || error.kind === "aborted" || error.kind === "timeout") return undefined;
  const later = drafts.slice(drafts.indexOf(failed) + 1);
  return isTooLong(error) ? later[0] : later.find(({ images }) => images.length < failed.images.length);
}

function isTooLong({ kind, attempts }: NoAnswerError): boolean {
  return kind === "context_length" || attempts.some(({ error_kind }) => error_kind === "context_length");
}
