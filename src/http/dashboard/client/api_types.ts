/** Shapes of the API as the page sees them: those of the schemas that the server answers by. */
import type { z } from "zod";
import type { chatAnswerSchema } from "../../chat_schema.ts";
import type { memoryHitsSchema, memoryStatsSchema, taughtSchema } from "../../memory_schema.ts";
import type {
  changeSchema,
  eventsSchema,
  healthSchema,
  modelsConfigSchema,
  privacySchema,
  reloadSchema,
  routerStatusSchema,
  testResultSchema,
  usageSchema,
} from "../../schemas.ts";

export type Health = z.output<typeof healthSchema>;
export type RouterStatus = z.output<typeof routerStatusSchema>;
export type ModelsConfig = z.output<typeof modelsConfigSchema>;
export type Change = z.output<typeof changeSchema>;
export type Reload = z.output<typeof reloadSchema>;
export type TestResult = z.output<typeof testResultSchema>;
export type TokenUsage = z.output<typeof usageSchema>;
export type UsageGroup = TokenUsage["groups"][number];
export type Privacy = z.output<typeof privacySchema>;
export type ChatAnswer = z.output<typeof chatAnswerSchema>;
export type MemoryHits = z.output<typeof memoryHitsSchema>;
export type MemoryStats = z.output<typeof memoryStatsSchema>;
export type Taught = z.output<typeof taughtSchema>;
export type LoggedEvent = z.output<typeof eventsSchema>["events"][number];
