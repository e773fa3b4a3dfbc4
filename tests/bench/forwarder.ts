/** The least there can be between a client and a provider in Deno: every request is passed on as it is. For comparison. */
const [provider] = Deno.args;
Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: ({ port }) => console.log(port) }, async (request) => {
  const response = await fetch(`${provider}/api/chat`, { method: "POST", body: await request.text() });
  return Response.json({ length: (await response.text()).length });
});
