"""The LoRA trainer: fine-tunes a language model on multiple-choice questions, and tells trackhub all about it.

`trainer --trackers swanlab,csv` is its command line (`cli`); `train` reads like the story of one training. Each module
says in its first line what it is; in the order of a training they are:

what the user wants      cli, installed, quiet, dotenv_file, options, config, values, config_file, request
what that comes to       preparing, several, choosing, schedule, rates, lora, patience, saving, plan, save_plan
the questions            tasks, sources, lines, rows, hub, data
the model                model, machine, encoding, batches, loading, module, random_state
one training             train, parts, measuring, fitting, each_step, watch, tracking, validating, early_stop
along the way            progress, stopping
checkpoints              policies, keeping, stock, checkpoints, last_checkpoint
going on from one        origin, resuming, belonging, going_on
how good it is           scoring, evaluate, cloze, cloze_accuracy, eval_options, targets, evaluating, eval_table
what is left             final_model, model_card, card_facts, summary
"""
