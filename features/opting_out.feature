Feature: Wanting no messages
  Who wants no birthday or no anniversary messages gets none, for as long as they want it so.

  Background:
    Given Ada was born on 14 March 1990 and lives in Jakarta

  Rule: What somebody does not want is not sent

    Scenario: Opting out on the evening before
      Given it is 20:00 on 13 March 2027 in Jakarta
      When Ada wants no birthday messages
      Then Ada gets no message that day
      And Ada's birthday message of 14 March 2027 is skipped because the person does not want it

    Scenario: Opting out long before
      Given Ada wants no birthday messages
      And it is 20:00 on 13 March 2027 in Jakarta
      Then Ada gets no message that day
      And Ada's birthday message of 14 March 2027 is skipped because the person does not want it

    Scenario: The other kind is not concerned
      Given Ada wants no anniversary messages
      And it is 20:00 on 13 March 2027 in Jakarta
      Then Ada gets 1 birthday message that day, at 09:00 on 14 March 2027 in Jakarta

    Scenario: Not even an operator sends it
      Given it is 20:00 on 13 March 2027 in Jakarta
      When Ada wants no birthday messages
      And an operator sends the message of 14 March 2027 to Ada after all
      Then Ada gets no message that day

  Rule: It lasts until they say otherwise

    Scenario: Leaving and returning
      Given Ada wants no birthday messages
      And it is 20:00 on 13 March 2027 in Jakarta
      And Ada has left
      When Ada registers again
      Then Ada gets no message that day

    Scenario: Standing in a file again
      Given Ada wants no birthday messages
      And it is 20:00 on 13 March 2027 in Jakarta
      When Ada stands in a file that is imported, with another name
      Then Ada gets no message that day

    Scenario: Wanting them again, in time
      Given Ada wants no birthday messages
      And it is 20:00 on 13 March 2027 in Jakarta
      When Ada wants all messages again
      Then Ada gets 1 birthday message that day, at 09:00 on 14 March 2027 in Jakarta
