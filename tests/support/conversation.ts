/** Conversations with the agent over its API, and what the models were asked for them. */
import assert from "node:assert/strict";
import type { ChatAnswer } from "../../src/chat/chat.ts";
import type { AgentEvent } from "../../src/core/events.ts";
import type { Message } from "../../src/core/types.ts";
import type { Api } from "./api.ts";
import { readOk } from "./api_answers.ts";
import { readEvents, type SeenEvent } from "./event_reader.ts";
import type { FakeProvider } from "./fake_provider.ts";

/** An answer as the API shows it. */
export type Answer = ChatAnswer;

/** Says something and reads the answer, which has to be one. */
export async function say(api: Api, message: string, more: object = {}): Promise<Answer> {
  return await readOk<Answer>(await api.send("POST", "/api/chat", { message, ...more }));
}

/** The same, streamed: every event. */
export async function hear(api: Api, message: string, more: object = {}): Promise<SeenEvent[]> {
  const response = await api.send("POST", "/api/chat", { message, ...more, stream: true });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  return await readEvents(response.body).rest();
}

/** What a reader of these events has seen. */
export function shownIn(events: readonly SeenEvent[]): string {
  return events.map(({ event, data }) => event === "delta" ? data["text"] : "").join("");
}

/** The last event's data, which has to be of this name. */
export function lastOf(events: readonly SeenEvent[], name: string): Record<string, unknown> {
  const last = events.at(-1) ?? assert.fail("there is no event");
  assert.equal(last.event, name, JSON.stringify(last));
  return { ...last.data };
}

/** The messages a model was asked with; the last time unless told otherwise. */
export function promptOf({ chats }: Pick<FakeProvider, "chats">, index = -1): Message[] {
  const { messages } = chats.at(index)?.body ?? assert.fail("it has not been asked");
  assert.ok(Array.isArray(messages));
  return messages;
}

/** The last message of a prompt: notes, and after them what was said. */
export function lastMessage(prompt: readonly Message[]): string {
  const { role, content } = prompt.at(-1) ?? assert.fail("the prompt is empty");
  assert.equal(role, "user");
  return content;
}

/** What was said before, without the notes. */
export function historyIn(prompt: readonly Message[]): string[] {
  return prompt.slice(1, -1).map(({ content }) => content);
}

/** Every event from now on. */
export function watchEvents({ agent }: Api): AgentEvent[] {
  const events: AgentEvent[] = [];
  agent.events.subscribe((event) => void events.push(event));
  return events;
}

/** Names of events of the conversation, in order: those of the router and others are left out. */
export function namesOf(events: readonly AgentEvent[], id?: string): string[] {
  return events.flatMap(({ name, data }) =>
    /^(chat|agent_state)\./.test(name) && (id === undefined || "conversation_id" in data && data.conversation_id === id)
      ? [name]
      : []
  );
}

/** Teaches a text under a name; the ids of its passages. */
export async function teach(api: Api, source: string, content: string): Promise<number[]> {
  const { ids } = await readOk<{ ids: number[] }>(await api.send("POST", "/api/memory/semantic", { source, content }));
  return ids;
}
