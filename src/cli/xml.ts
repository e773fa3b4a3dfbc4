/**
 * Text as XML holds it in content and attributes, in ASCII alone: whatever a console or a shell takes the file's
 * encoding for, it stays what it is.
 */
export function escapeXml(text: string): string {
  return text.replace(/[^ -~]|[&<>"']/gu, (character) => `&#${character.codePointAt(0)};`);
}
