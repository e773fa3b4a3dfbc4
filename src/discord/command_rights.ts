import type { DiscordCommand, DiscordSettings } from "../config/discord_settings.ts";
import type { Author } from "./events.ts";

/** Who asks for a command, and where. */
export interface Asker {
  readonly author: Pick<Author, "id" | "roleIds">;
  /** True when they may manage messages in the channel. */
  readonly isModerator: boolean;
  /** True in a direct message, where nobody else is concerned. */
  readonly isDirect: boolean;
}

/** Whether somebody may use a command, by what discord.json says of it. */
export function mayUse(
  command: DiscordCommand,
  { author, isModerator, isDirect }: Asker,
  commands: DiscordSettings["commands"],
): boolean {
  const { for: whom, roles, users } = commands[command];
  if (whom === "nobody") return false;
  if (whom === "everyone" || users.includes(author.id) || roles.some((role) => author.roleIds.includes(role))) {
    return true;
  }
  return whom === "moderators" && (isModerator || isDirect);
}
