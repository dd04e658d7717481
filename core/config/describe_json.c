#include "config/core_options.h"
#include "config/describe.h"
#include "config/edges.h"
#include "config/options.h"
#include "json.h"
#include "plugin/loader.h"

static void put_signals(struct json *json, const char *key, uint32_t signals)
{
  json_array(json, key);
  for (uint32_t bit = 1; bit <= EVP_LOGS; bit <<= 1)
    if (signals & bit) json_string(json, NULL, evp_signal_name(bit));
  json_end(json);
}

static void put_options(struct json *json, const struct evp_option *table, const struct config_node *defaults)
{
  for (const struct evp_option *option = table; option && option->key; option++) {
    const struct config_pair *own = tree_find(defaults, option->key);
    json_object(json, NULL);
    json_string(json, "key", option->key);
    json_string(json, "type", option_type_name(option->type));
    json_bool(json, "required", option->flags & EVP_REQUIRED);
    json_string(json, "default", option_default(option, defaults));
    json_string(json, "help", option->help);
    if (option->type == EVP_T_CHOICE) json_strings(json, "choices", option->choices);
    if (option->type == EVP_T_GROUP) {
      json_array(json, "options");
      put_options(json, option->group, own ? &own->value : NULL);
      json_end(json);
    }
    json_end(json);
  }
}

void describe_json(const struct evp_plugin *plugin, const char *path, const struct config_node *defaults, FILE *file)
{
  struct json json = {.file = file};
  const struct evp_option *tables[MAX_CORE_TABLES];
  json_object(&json, NULL);
  json_string(&json, "kind", evp_kind_name(plugin->kind));
  json_string(&json, "name", plugin->name);
  json_string(&json, "summary", plugin->summary);
  json_string(&json, "file", path);
  json_int(&json, "abi", plugin->abi);
  put_signals(&json, "takes", plugin->accepts);
  put_signals(&json, "gives", plugin->emits);
  json_array(&json, "options");
  put_options(&json, plugin->options, NULL);
  json_end(&json);
  json_array(&json, "core_options");
  size_t n = core_tables((enum evp_kind)plugin->kind, plugin, tables);
  for (size_t i = 0; i < n; i++) put_options(&json, tables[i], defaults);
  json_end(&json);
  json_end(&json);
}
