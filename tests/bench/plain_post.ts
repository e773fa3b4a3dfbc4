/** The least that a program can do to post to a webhook. For comparison. */
const [url = ""] = Deno.args;
const response = await fetch(url, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ content: "Hola" }),
});
await response.body?.cancel();
