// The numbers once stood on this one page: an address of that time, values.html#ID, leads on to the page that has it.
{
  const id = decodeURIComponent(location.hash.slice(1));
  const [group, exhibit] = id.split(".");
  if (exhibit && !document.getElementById(id)) {
    location.replace(`values/${group === "exhibits" ? `exhibits.${exhibit}` : group}.html#${id}`);
  }
}
